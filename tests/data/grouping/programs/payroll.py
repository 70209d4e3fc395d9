"""Adds up wages (standard library)."""

import csv
import io
from decimal import Decimal


def wages(table):
    return sum(wage(row) for row in csv.DictReader(io.StringIO(table)))


def wage(row):
    return Decimal(row["hours"]) * int(row["rate"])


def run_hours(rng):
    """Hours that are no number."""
    return wages(f"name,hours,rate\nAda,{rng.randrange(9)} h,20\n")


def run_rate(rng):
    """The same place, another type."""
    return wages(f"name,hours,rate\nAda,3,{rng.randrange(99)} EUR\n")
