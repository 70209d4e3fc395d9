"""The route of a report."""

import pytest

from relay.config import make_settings
from relay.grouping.routing import Router
from relay.model import Form, Level, Report, Situation

TABLES = {
    "admins": ["admins@example.com"],
    "route": [
        {"name": "worst", "recipients": ["pager@example.com"], "level": "CRITICAL"},
        {"name": "shop", "recipients": ["shop@example.com"], "app": "Shop*", "environment": "prod*"},
        {"name": "sql", "recipients": ["dba@example.com"], "logger": "sqlalchemy.*"},
        {"name": "net", "recipients": ["net@example.com"], "situation": "Network*"},
        {"name": "locks", "recipients": ["dba@example.com"], "pattern": "*database is locked*"},
    ],
}


def report(**fields):
    return Report(**{"form": Form.PLAIN, "subject": "", "sender": "", "app": "Other", **fields})


@pytest.mark.parametrize(
    ("fields", "title", "expected"),
    [
        ({"level": Level.CRITICAL, "app": "Shop"}, "", "worst"),
        ({"app": "shop Failed", "environment": "production"}, "", "shop"),
        ({"app": "shop Failed", "environment": "staging"}, "", "admins"),
        ({"logger": "sqlalchemy.pool"}, "", "sql"),
        ({"logger": "sqlalchemy"}, "", "admins"),
        ({"situation": Situation.NETWORK_DOWN}, "", "net"),
        ({"situation": Situation.DISK_BROKEN, "message": "network down"}, "network down", "admins"),
        ({"message": "Exception: Database is locked now\nmore"}, "", "locks"),
        ({}, "OperationalError: database is locked", "locks"),
        ({"message": "first line\ndatabase is locked"}, "", "admins"),
    ],
)
def test_the_first_route_whose_conditions_all_match_decides(tmp_path, fields, title, expected):
    router = Router(make_settings(tmp_path, **TABLES).routes)

    assert router.route(report(**fields), title) == expected


def test_without_routes_everything_goes_to_the_admins(tmp_path):
    router = Router(make_settings(tmp_path).routes)

    assert router.route(report(), "x") == "admins"
