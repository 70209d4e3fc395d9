"""How `relay explain` describes the way a mail was read."""

from relay.parse.explain import MAX_BLOCKS, how_it_is_read

HEAD = "From: app@example.com\nSubject: x\n"


def described(body, head=HEAD):
    return list(how_it_is_read(f"{head}\n{body}".encode()))


def test_blocks_are_listed_with_their_lines():
    found = described("Hi,\n\nHost: web-1\nUptime: 3 days\n\nBackup failed: the disk is full\n")

    assert found[0] == "part: text, 7 lines (the report)"
    assert found[1] == "block: fields: lines 3 to 4"
    assert found[2].startswith("block: fields: lines 6 to 6, names a failure")


def test_records_are_listed_with_their_levels():
    found = described("2026-11-30 09:15:42 INFO shop: up\n2026-11-30 09:15:43 ERROR shop: no cart\n")

    assert found[1:] == ["block: record: INFO, line 1", "block: record: ERROR, line 2"]


def test_the_part_that_reports_the_error_is_marked():
    mime = HEAD + "Content-Type: multipart/alternative; boundary=b\n"
    html = "--b\nContent-Type: text/html\n\n<p>ValueError: no cart in /srv/shop.py:12</p>\n--b--"
    found = described(f"--b\nContent-Type: text/plain\n\nUse an HTML mail reader.\n{html}", head=mime)

    assert found[:2] == ["part: text, 1 line", "part: HTML part, 2 lines (the report)"]


def test_many_blocks_are_counted():
    found = described("\n\n".join(f"step {word} failed" for word in "abcdefghijklmnopqrstuvwxyz"))

    assert len(found) == 1 + MAX_BLOCKS + 1
    assert found[-1] == "blocks that are not listed: 6"
