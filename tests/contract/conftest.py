"""The same ledger on SQLite and on a real PostgreSQL: every test that asks for `ledger` runs on both."""

from __future__ import annotations

import itertools
import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relay.ledger import Ledger, sqlite_url
from relay.ledger.schema import metadata
from tests.support.postgres_server import programs, running_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """The folder with the socket of a server that runs as long as the session."""
    folder = programs()
    if folder is None:
        pytest.skip("no PostgreSQL server's programs here (Debian: apt-get install postgresql)")
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        pytest.skip(f"PostgreSQL does not run as user {os.geteuid()}, whom this system does not know")
    with running_server(folder) as socket:
        yield socket


@pytest.fixture(scope="session")
def new_database(postgres_socket: str) -> Callable[..., str]:
    """Makes a database and returns its URL, with a password that a trusting server does not look at."""
    import psycopg

    def create(options: str = "") -> str:
        name = f"ledger{next(_numbers)}"
        with psycopg.connect(host=postgres_socket, user="relay", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        return f"postgresql://relay:hunter2@/{name}?host={postgres_socket}"

    return create


@pytest.fixture(scope="session")
def emptied_database(new_database: Callable[..., str]) -> Callable[[], str]:
    """Empties one database that holds a ledger, which takes less time and room than making one."""
    import psycopg

    url = new_database()
    Ledger.open(url).close()
    tables = ", ".join(metadata.tables)

    def empty() -> str:
        with psycopg.connect(url, autocommit=True) as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            connection.execute(f"{others} AND pid <> pg_backend_pid()")
            connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
        return url

    return empty


_BACKENDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=_BACKENDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a place for a ledger where there is none yet."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "data" / "ledger.db")
    return request.getfixturevalue("new_database")()


@pytest.fixture(params=_BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty ledger."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "data" / "ledger.db")
    return request.getfixturevalue("emptied_database")()


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    opened = Ledger.open(url)
    yield opened
    opened.close()
