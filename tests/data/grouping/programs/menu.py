"""Reads a restaurant's menu (marshmallow)."""

from marshmallow import Schema, fields


class Dish(Schema):
    name = fields.String(required=True)
    price = fields.Decimal(required=True)


def load(dishes):
    return Dish(many=True).load(dishes)


def rename(dish, name):
    return Dish().dump({**dish, "name": name})["title"]


def run_not_valid(rng):
    """Prices that are no numbers, a different one each time."""
    bad = rng.randrange(5)
    return load([{"name": f"dish {n}", "price": "free" if n == bad else n} for n in range(6)])


def run_no_title(rng):
    """A field that is called otherwise."""
    return rename({"price": rng.randrange(50)}, f"Soup {rng.randrange(50)}")
