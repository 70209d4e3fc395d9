"""Checks documents against a schema (jsonschema)."""

import jsonschema

SCHEMA = {"type": "object", "properties": {"rent": {"type": "number"}, "rooms": {"type": "integer", "minimum": 1}}}


def check(contract):
    jsonschema.validate(contract, SCHEMA)


def run_type(rng):
    """A rent that is a text."""
    return check({"rent": f"{rng.randrange(2000)} a month"})


def run_minimum(rng):
    """The same place, another rule of the schema."""
    return check({"rent": 800, "rooms": -rng.randrange(9)})
