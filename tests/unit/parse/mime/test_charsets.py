"""Charsets: each that Python knows is read, any other as UTF-8."""

import encodings
from base64 import b64encode
from encodings import aliases

import pytest

from relay.parse.mime import charsets, read
from tests.support.mails import raw


def charsets_for(text: str) -> list[str]:
    """Every charset of Python's that has all letters of `text`, and in which a mail could be written."""
    names = []
    for name in sorted(set(aliases.aliases.values()) - {"mbcs", "punycode", "idna"}):
        try:
            if text.encode(name).decode(name) == text:
                names.append(name)
        except (LookupError, UnicodeError):
            continue
    return names


@pytest.mark.parametrize("charset", charsets_for("Störung"))
def test_every_charset_that_python_knows_is_read(charset):
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64"

    assert read(raw(head, b64encode("Störung".encode(charset)))).text == "Störung"


@pytest.mark.parametrize(
    "charset",
    ["no-such-charset", "utf8mb4", '"', "", "punycode", "idna", "unicode_escape", "undefined", "rot13", "zlib", "hex"],
)
def test_an_unknown_or_unfit_charset_is_read_as_utf_8(charset):
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit"

    assert read(raw(head, "Störung".encode())).text == "Störung"


def test_bytes_that_are_not_in_the_charset_become_replacement_characters():
    assert read(raw('Content-Type: text/plain; charset="utf-8"', b"St\xf6rung")).text == "St\ufffdrung"
    assert read(raw('Content-Type: text/plain; charset="us-ascii"', "Störung".encode())).text == "Störung"


def test_python_is_never_asked_for_a_charset_it_does_not_know():
    """It remembers each unknown name for good, so a hostile sender could fill the memory with them."""
    assert charsets.decode(b"x", "x-invented-by-a-stranger-4711") == "x"
    assert not any("stranger" in name for name in encodings._cache)
