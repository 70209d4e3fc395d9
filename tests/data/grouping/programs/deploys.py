"""Reads a deployment's settings (PyYAML)."""

import yaml


def settings(text):
    return yaml.safe_load(text)


def run_tab(rng):
    """A tab where there may be none."""
    return settings("services:\n" + "".join(f"  - web{n}\n" for n in range(rng.randrange(30))) + "\tport: 1\n")


def run_indent(rng):
    """A block that ends too early."""
    return settings("services:\n" + "".join(f"  a{n}: 1\n" for n in range(rng.randrange(30))) + " port: 1\n")
