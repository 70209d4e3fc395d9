"""Charsets: every charset that Python supports is decoded, any other as UTF-8."""

import encodings
from base64 import b64encode
from encodings import aliases

import pytest

from relay.parse.mime import charsets, read
from tests.support.mails import raw


def charsets_for(text: str) -> list[str]:
    """Return every charset of Python that can encode `text` and can be used in a mail."""
    names = []
    for name in sorted(set(aliases.aliases.values()) - {"mbcs", "punycode", "idna"}):
        try:
            if text.encode(name).decode(name) == text:
                names.append(name)
        except (LookupError, UnicodeError):
            continue
    return names


@pytest.mark.parametrize("charset", charsets_for("Störung"))
def test_every_charset_of_python_is_decoded(charset):
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64"

    assert read(raw(head, b64encode("Störung".encode(charset)))).text == "Störung"


@pytest.mark.parametrize(
    "charset",
    ["no-such-charset", "utf8mb4", '"', "", "punycode", "idna", "unicode_escape", "undefined", "rot13", "zlib", "hex"],
)
def test_unknown_or_unsafe_charset_is_decoded_as_utf_8(charset):
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit"

    assert read(raw(head, "Störung".encode())).text == "Störung"


def test_text_with_a_wrong_charset_is_read_in_the_likely_one():
    assert read(raw('Content-Type: text/plain; charset="utf-8"', b"St\xf6rung")).text == "Störung"
    assert read(raw('Content-Type: text/plain; charset="us-ascii"', "Störung".encode())).text == "Störung"


def test_python_is_never_asked_for_an_unknown_charset():
    """Python caches every unknown name forever, so a hostile sender could fill the memory."""
    assert charsets.decode(b"x", "x-invented-by-a-sender-4711") == "x"
    assert not any("invented" in name for name in encodings._cache)
