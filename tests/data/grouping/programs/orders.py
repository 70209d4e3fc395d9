"""Structures nested orders (cattrs): an exception group."""

from typing import List  # noqa: UP035 - runs on Python 3.8, too

import attrs
import cattrs


@attrs.define
class Item:
    sku: str
    price: float


@attrs.define
class Order:
    items: List[Item]  # noqa: UP006 - likewise


def structure(order):
    return cattrs.structure(order, Order)


def run_group(rng):
    """Some items are wrong, more or fewer of them."""
    return structure({"items": [{"sku": n, "price": "x"} for n in range(rng.randrange(1, 4))]})
