"""The table of rules: each rule replaces its kind of data, and no other rule would."""

import pytest

from relay.parameterize.patterns import RULES
from relay.parameterize.template import Parameterizer, parameterize

EXAMPLES = {
    "standard": ("no codec utf-8 in x86_64 for sha256", "no codec utf-8 in x86_64 for sha256"),
    "status": ("HTTP 503, exit code 137, [Errno 28]", "HTTP 503, exit code 137, [Errno 28]"),
    "vendor code": ("ORA-00942: see CVE-2024-1234, CS1002", "ORA-00942: see CVE-2024-1234, CS1002"),
    "smtp code": ("said: 550 5.1.1 unknown", "said: 550 5.1.1 unknown"),
    "driver code": ("(1062, 'Duplicate entry 7')", "(1062, Duplicate entry <value>)"),
    "url": ("GET https://ada:pw@[::1]:80/x?y=1#z, then", "GET <url>, then"),
    "email": ("bounced by ada+shop@mail.example.org.", "bounced by <email>."),
    "uuid": ("job C56A4180-65AA-42EC-A945-5FD21DEC0538 died", "job <uuid> died"),
    "trace id": ("in 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "in <trace>"),
    "day and iso time": ("since Tue 2025-06-24 08:15:00 UTC it is", "since <time> it is"),
    "month between": ("of 2025-Feb-07 or 07-Feb 08:15 again", "of <time> or <time> again"),
    "iso time": ("at 2024-03-07T08:15:00.123+01:00 exactly", "at <time> exactly"),
    "day/month/year": ("on 27/11/2025 at noon", "on <time> at noon"),
    "day first": ("on Thu, 07 Mar 2024 08:15:00 +0100 again", "on <time> again"),
    "month first": ("on Thu Mar 07 2024 08:15:00 GMT+0100 (Central European Time) again", "on <time> again"),
    "ipv4": ("from 10.0.0.7:5432 to 10.0.0.0/8", "from <ip> to <ip>"),
    "peer": ("ada/10.0.0.7:1194 left; shop.example.org/10.0.0.7:80", "<ip> left; <ip>"),
    "mac": ("card 00:1b:44:11:3a:b7 is gone", "card <mac> is gone"),
    "duration": ("after 12ms, 1h30m, 3 days, 0:00:13.5", "after <duration>, <duration>, <duration>"),
    "clock": ("since 8:15 AM", "since <time>"),
    "ipv6": ("to 2001:db8::17 or fe80::1ff:fe23:4567:890a", "to <ip> or <ip>"),
    "short ipv6": ("to ::1 or ::ffff:10.2.3.4", "to <ip> or <ip>"),
    "compact time": ("backup 20240307T081500Z", "backup <time>"),
    "address": ("object at 0x7f1c2a3b4c50", "object at <address>"),
    "hash": ("commit a93c7d2 and d41d8cd98f00b204e9800998ecf8427e", "commit <hash> and <hash>"),
    "host": ("lookup of db.prod.example.com:5432 failed", "lookup of <host> failed"),
    "numbered host": ("from 24-54-76-216.dsl.somewhere.at today", "from <host> today"),
    "windows path": (r"open C:\inetpub\shop\a.txt", "open <path>"),
    "share": (r"open \\files\shop\a.txt", "open <path>"),
    "code": ("bad at /srv/shop/Cart.pm line 7", "bad at Cart.pm line <number>"),
    "path": ("open /srv/shop/a b", "open <path> b"),
    "file": ("no orders-0417.json, plan.pdf, dump.tar.gz, conf.json", "no <path>, <path>, <path>, conf.json"),
    "pod": ("pod web-7d4b9c6f88-x2xpm crashed", "pod web-<id> crashed"),
    "numbered machine": ("full on web-12, seen [db-3]; to step-2", "full on <host>, seen [<host>]; to step-<number>"),
    "host label": ("Host: mars\nHost: is gone", "Host: <host>\nHost: is gone"),
    "disk": ("error, dev sdf, sector 5 (device sdg1)", "error, dev <id>, sector <number> (device <id>)"),
    "key": ("Key a is missing in the map", "Key <value> is missing in the map"),
    "size": ("limit 12.5 MB reached", "limit <size> reached"),
    "amount of time": ("late by 11 days", "late by <duration>"),
    "number": ("paid 4,150,908 or -7 or 1.5e-3 or 96%", "paid <number> or -<number> or <number> or <number>"),
    "name in code": ("no attribute 'price' in module 'cart'", "no attribute 'price' in module 'cart'"),
    "type in quotes": ("'NoneType' object", "'NoneType' object"),
    "call in quotes": ('cannot invoke "shop.Cart.total(Item)"', 'cannot invoke "shop.Cart.total(Item)"'),
    "request line": ('"GET /cart/5 HTTP/1.1" failed; "PUT / HTTP/2" 404', "GET <url> failed; PUT <url> <number>"),
    "json excerpt": ('bad t, ..."a": "b"... is not valid JSON', "bad t, ...<text> is not valid JSON"),
    "quoted": ("can't find 'it\\'s' or “x” for it", "can't find <text> or <text> for it"),
    "quoted bytes": (r"bad b'\x00\xff'", "bad <text>"),
    "error text": ('lost: err="no row 5", id=7', 'lost: err="no row <value>", id=<value>'),
    "object": ("lost <Order: Order of Ada>", "lost <Order <value>>"),
    "assigned": ("retry=True, name='Ada L', to=<ada>, x=", "retry=<value>, name=<value>, to=<value>, x=<value>"),
    "login": ("session of user ada ended; user is unknown", "session of user <name> ended; user is unknown"),
    "handle": ("by ada.lovelace: no; für lucía_ruiz; for order_id", "by <name>: no; für <name>; for order_id"),
    "person": ("parcel for Ada Lovelace; upstream said to Not Found", "parcel for <name>; upstream said to Not Found"),
    "greeted": ("Dear Ada, it failed; Dear reader", "Dear <name>, it failed; Dear reader"),
    "people": ("booked twice (Ada Lovelace, Grace Hopper)", "booked twice <name>"),
    "in parentheses": ("late (carrier DHL), (asked by ada)", "late (carrier <value>), (asked by <value>)"),
    "word": ("events-27 in KHEDZ9LR of k9Mtd2gDcgG, SMJ-776946", "events-<number> in <id> of <id>, <id>"),
}  # fmt: skip


def test_every_rule_has_an_example_and_a_reason():
    assert [rule.name for rule in RULES] == list(EXAMPLES)
    assert all(rule.why for rule in RULES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_rule_replaces_only_its_kind_of_data(name):
    text, expected = EXAMPLES[name]

    assert parameterize(text).text == expected


@pytest.mark.parametrize("name", EXAMPLES)
def test_without_the_rule_the_result_differs(name):
    text, expected = EXAMPLES[name]
    rest = Parameterizer([rule for rule in RULES if rule.name != name])

    assert rest.template(text).text != expected


@pytest.mark.parametrize(
    "text",
    [
        "Disk full on volume",
        "upstream returned Bad Gateway",
        "Template order.html not found",
        "bad facade, bad deadbee",
        "called `Option::unwrap()` on a `None` value",
        "SELECT name FROM orders WHERE id = ? ORDER BY name",
        "int() argument must be a string, a bytes-like object or a real number, not list",
        "don't, can't and won't",
        "and/or: either way",
    ],
)
def test_fixed_words_stay(text):
    assert parameterize(text).key == text.replace("`None`", "*")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("module sha1 is missing", "module md5 is missing"),
        ("HTTP 503 from upstream", "HTTP 404 from upstream"),
        ("exited with code 1", "exited with code 137"),
        ("unknown encoding latin-1", "unknown encoding utf-8"),
        ("No module named 'cart'", "No module named 'cash'"),
        ("[Errno 13] denied", "[Errno 28] denied"),
        ('"GET /a/5 HTTP/1.1" failed', '"PUT /a/5 HTTP/1.1" failed'),
        ('"GET /a/5 HTTP/1.1" 502 17', '"GET /a/5 HTTP/1.1" 504 17'),
        ('"GET /a/5 HTTP/1.1" status: 404 17', '"GET /a/5 HTTP/1.1" status: 500 17'),
        ("No enum constant shop.Colour.RED", "No enum constant shop.Size.RED"),
        ("no value for customer_id", "no value for order_id"),
        ("cannot read package.json", "cannot read settings.json"),
        ("Failed with result 'timeout'", "Failed with result 'exit-code'"),
        ("upstream returned Bad Gateway", "upstream returned Not Found"),
    ],
)
def test_text_that_distinguishes_errors_stays(one, other):
    assert parameterize(one).key != parameterize(other).key


def test_served_request_in_an_access_log_is_data():
    """The access log writes one line per request, and only a 5xx is an error of the app."""
    served = '"GET /cart/5 HTTP/1.1" status: 200 len: 17'

    assert parameterize(served).key == parameterize('"GET /cart/7 HTTP/1.0" status: 404 len: 2').key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("box CP-4465 fell", "box CQ-1724 fell"),
        ("box TS-4465 fell", "box VN-1724 fell"),
        ("No enum constant a.B.RED", "No enum constant a.B.TEAL"),
    ],
)
def test_product_codes_and_constants_are_data(one, other):
    assert parameterize(one).key == parameterize(other).key


@pytest.mark.parametrize(
    "noun", ["by", "for", "von", "für", "para", "player", "guest", "driver", "tenant", "Benutzer", "usuario", "client"]
)
def test_user_name_after_each_noun_is_replaced(noun):
    assert parameterize(f"we saw the {noun} ada.lovelace again").text == f"we saw the {noun} <name> again"


@pytest.mark.parametrize("before", ["for", "von", "à", "para"])
def test_full_name_after_a_preposition_is_replaced(before):
    assert parameterize(f"sent {before} Ada Lovelace again").text == f"sent {before} <name> again"


def test_skipped_run_of_words_hides_no_data():
    """A rule of several words may begin inside a run of plain words."""
    text = "could not send it to ada.lovelace for user ada, error number 7, owner bo is late by Ada Lovelace"

    assert parameterize(text).text == (
        "could not send it to <name> for user <name>, error number 7, owner <name> is late by <name>"
    )
