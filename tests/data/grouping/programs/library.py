"""Lends books (peewee on SQLite)."""

import peewee

db = peewee.SqliteDatabase(":memory:")


class Book(peewee.Model):
    isbn = peewee.CharField(unique=True)

    class Meta:
        database = db


def add(isbn):
    return Book.create(isbn=isbn)


def lend(isbn):
    return Book.get(Book.isbn == isbn)


def run_twice(rng):
    """The same book again."""
    db.create_tables([Book])
    isbn = f"978{rng.randrange(10**9)}"
    add(isbn)
    return add(isbn)


def run_missing(rng):
    """A book that nobody has."""
    db.create_tables([Book])
    return lend(f"978{rng.randrange(10**9)}")
