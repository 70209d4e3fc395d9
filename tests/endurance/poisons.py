"""Hostile mails by name, as an attacker, a broken program or an unlucky one would send them.

Each is created on request, since some have megabytes. Lines end in CRLF; nothing else is guaranteed.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial

MEGABYTE = 1 << 20
LARGEST = 50 * MEGABYTE

FRAME = '  File "/srv/shop/tree.py", line 7, in walk\n    return walk(node.next)\n'
HEAD = b"From: app@example.com\r\nTo: you@example.com\r\nSubject: Shop Failed\r\nMIME-Version: 1.0\r\n"
NAME = "X-Error-Mail-Client: 1\r\n"

POISONS: dict[str, Callable[[], bytes]] = {}


def _poison(name: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    def add(make: Callable[[], bytes]) -> Callable[[], bytes]:
        POISONS[name] = make
        return make

    return add


def mail(body: bytes, *fields: str, head: bytes = HEAD) -> bytes:
    """Return a mail with these header fields besides the usual ones."""
    return (
        head + "".join(f"{field}\r\n" for field in fields).encode("utf-8", "surrogateescape") + b"\r\n" + body + b"\r\n"
    )


def multipart(*parts: bytes, boundary: str = "b") -> bytes:
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    return mail(body + b"--%s--" % boundary.encode(), f'Content-Type: multipart/mixed; boundary="{boundary}"')


def with_json_part(content: str) -> bytes:
    """Return a mail of our client with `content` as its JSON part."""
    text = b"Content-Type: text/plain\r\n\r\nIt broke."
    part = b"Content-Type: application/vnd.error-mail+json\r\n\r\n" + content.encode("utf-8", "surrogatepass")
    whole = multipart(text, part)
    return NAME.encode() + whole


def _repeated(make: Callable[[bytes], bytes], piece: bytes) -> bytes:
    """Return a mail with as many repetitions of `piece` as are stored whole."""
    return make(piece * (220_000 // len(piece)))


# --- Structure --------------------------------------------------------------------------------------------------------


@_poison("multipart 1,000 deep")
def _() -> bytes:
    heads = (f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n'.encode() for n in range(1_000))
    return HEAD + b"".join(heads) + b"\r\nIt broke.\r\n" + b"".join(b"--b%d--\r\n" % n for n in reversed(range(1_000)))


@_poison("multipart 1,000 deep, one boundary")
def _() -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 1_000 + b"\r\nIt broke.\r\n"


@_poison("boundaries that begin with each other")
def _() -> bytes:
    heads = (f"Content-Type: multipart/mixed; boundary={'b' * n}\r\n\r\n--{'b' * n}\r\n" for n in range(1, 61))
    return HEAD + "".join(heads).encode() + b"\r\nIt broke.\r\n"


@_poison("message/rfc822 1,000 deep")
def _() -> bytes:
    return HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 1_000 + b"It broke.\r\n"


@_poison("10,000 parts")
def _() -> bytes:
    return multipart(*[b"Content-Type: image/png\r\n\r\na"] * 10_000)


@_poison("10,000 empty text parts")
def _() -> bytes:
    return multipart(*[b"\r\n"] * 10_000)


@_poison("100 parts of 100 parts")
def _() -> bytes:
    inner = b"Content-Type: multipart/mixed; boundary=c\r\n\r\n" + b"--c\r\nContent-Type: image/png\r\n\r\n" * 100
    return multipart(*[inner] * 60)


@_poison("announced boundary never occurs")
def _() -> bytes:
    return mail(b"--other\r\n\r\nIt broke.\r\n" * 5_000, "Content-Type: multipart/mixed; boundary=b")


@_poison("almost the boundary, 60,000 times")
def _() -> bytes:
    return mail(b"\r\n--bx" * 60_000, "Content-Type: multipart/mixed; boundary=b")


@_poison("boundaries on one line")
def _() -> bytes:
    return mail(b"--b" * 80_000, "Content-Type: multipart/mixed; boundary=b")


@_poison("boundary of 60,000 characters")
def _() -> bytes:
    return multipart(b"\r\nIt broke.", boundary="b" * 60_000)


@_poison("empty boundary")
def _() -> bytes:
    return mail(b"--\r\n" * 50_000, 'Content-Type: multipart/mixed; boundary=""')


@_poison("boundary with CR, LF and NUL")
def _() -> bytes:
    return mail(b"--b\0\r\n\r\nIt broke.", 'Content-Type: multipart/mixed; boundary="b\0\r\n"')


@_poison("endless content type")
def _() -> bytes:
    return mail(b"It broke.", 'Content-Type: text/plain; charset="' + "a" * 200_000)


@_poison("50,000 parameters")
def _() -> bytes:
    return mail(b"It broke.", "Content-Type: text/plain" + "; a=b" * 50_000)


# --- Headers ----------------------------------------------------------------------------------------------------------


@_poison("header line of 1 MB")
def _() -> bytes:
    return mail(b"It broke.", "Subject: " + "a" * MEGABYTE, head=b"")


@_poison("header name of 1 MB")
def _() -> bytes:
    return mail(b"It broke.", "X" * MEGABYTE + ": a")


@_poison("subject folded 100,000 times")
def _() -> bytes:
    return mail(b"It broke.", "Subject: a" + "\r\n " * 100_000, head=b"")


@_poison("subject folded with tabs and spaces")
def _() -> bytes:
    return mail(b"It broke.", "Subject:" + " \t" * 60_000 + "\r\n" + " \t" * 60_000, head=b"")


@_poison("100,000 headers")
def _() -> bytes:
    return mail(b"It broke.", *[f"X-{n}: a" for n in range(100_000)])


@_poison("10,000 subjects")
def _() -> bytes:
    return mail(b"It broke.", *["Subject: It failed"] * 10_000)


@_poison("10,000 fields of the client")
def _() -> bytes:
    return mail(b"It broke.", *[f"X-Error-Mail-{'abcdefghij'[n % 10] * (n % 40 + 1)}: a" for n in range(10_000)])


@_poison("endless address")
def _() -> bytes:
    return mail(b"It broke.", "From: " + "<" * 60_000 + "a@" * 30_000, head=b"")


@_poison("only colons")
def _() -> bytes:
    return b":" * 200_000


@_poison("only line ends")
def _() -> bytes:
    return b"\r\n" * 120_000


@_poison("empty mail")
def _() -> bytes:
    return b""


@_poison("10,000 encoded words")
def _() -> bytes:
    return mail(b"It broke.", "Subject: " + "=?utf-8?q?=C3?= =?utf-8?q?=BC?= " * 5_000, head=b"")


@_poison("invalid encoded words")
def _() -> bytes:
    return mail(b"It broke.", "Subject: " + "=?" * 2_000 + "=?utf-8?b?" * 2_000 + "=?a?q?" + "?" * 9_000, head=b"")


@_poison("encoded words in unknown charsets")
def _() -> bytes:
    charsets = ("punycode", "idna", "rot13", "zlib", "hex", "unicode_escape", "undefined", "x" * 30, "utf-7", "uu")
    words = (f"=?{charset}?{how}?{'+AAA-=FF=0A' * 20}?=" for charset in charsets for how in "qb")
    return mail(b"It broke.", "Subject: " + "\r\n ".join(words), head=b"")


@_poison("encoded line ends and controls")
def _() -> bytes:
    return mail(b"It broke.", "Subject: =?utf-8?q?a=0D=0ABcc:_eve=40example.com=0D=0A=0D=0A=00=1B[2J?=", head=b"")


# --- Charsets and transfer encodings ----------------------------------------------------------------------------------

_BAD_CHARSETS = (
    "no-such", "utf-7", "utf-16", "utf-32", "utf-8-sig", "punycode", "idna", "unicode_escape", "undefined",
    "rot13", "zlib", "bz2", "hex", "uu", "base64", "quopri", "iso2022_jp_3", "hz", "cp65001", "mbcs", "\udcff\udcfe",
    "../../etc/passwd",
)  # fmt: skip


def _in_charset(charset: str) -> Callable[[], bytes]:
    return lambda: mail(
        bytes(range(256)) * 600 + b"xn--+2AA-" * 9_000, f'Content-Type: text/plain; charset="{charset}"'
    )


for _charset in _BAD_CHARSETS:
    POISONS[f"charset {_charset!a}"] = _in_charset(_charset)


@_poison("NUL and control bytes")
def _() -> bytes:
    return mail(bytes(range(32)) * 6_000, "Subject: \0\1\2\x1b[2J\x7f\0", head=b"")


@_poison("200,000 NUL bytes")
def _() -> bytes:
    return b"\0" * 200_000


@_poison("every byte")
def _() -> bytes:
    return mail(bytes(range(256)) * 900, "Content-Type: text/plain; charset=utf-8")


@_poison("8-bit bytes without a charset")
def _() -> bytes:
    return HEAD + b"Subject: \xff\xfe\xfd\r\n\xff\xff: \xff\r\n\r\n" + b"\xc3\x28\xa0\xa1\xe2\x28\xa1" * 30_000


@_poison("base64 garbage")
def _() -> bytes:
    body = b"=A*=B!\xff\0====" * 15_000
    return mail(body, "Content-Transfer-Encoding: base64")


@_poison("base64, 50 MB on one line")
def _() -> bytes:
    return mail(b64encode(b"It broke. " * (LARGEST * 3 // 40)), "Content-Transfer-Encoding: base64")


@_poison("quoted-printable garbage")
def _() -> bytes:
    return mail(b"=\r\n=G=0=\0=FF=" * 18_000, "Content-Transfer-Encoding: quoted-printable")


@_poison("quoted-printable, only =")
def _() -> bytes:
    return mail(b"=" * 250_000, "Content-Transfer-Encoding: quoted-printable")


@_poison("unknown transfer encoding")
def _() -> bytes:
    return mail(b"begin 644 a\r\n" + b"M" * 200_000, "Content-Transfer-Encoding: x-uuencode" + "u" * 9_000)


# --- HTML -------------------------------------------------------------------------------------------------------------


def _html(body: bytes) -> bytes:
    return mail(body, "Content-Type: text/html; charset=utf-8")


for _name, _piece in {
    "open brackets": b"<",
    "open tags": b"<a ",
    "unclosed scripts": b"<script",
    "nested scripts": b"<script><style></script>",
    "unclosed comments": b"<!--",
    "entities": b"&#x26;amp;",
    "unclosed entities": b"&#",
    "nested tables": b"<table><tr><td>",
    "line ends and spaces": b"\n \t \n",
}.items():
    POISONS[f"HTML, {_name}"] = partial(_repeated, _html, _piece)


# --- Text -------------------------------------------------------------------------------------------------------------


@_poison("recursion of 100,000 frames")
def _() -> bytes:
    return mail(
        b"It failed.\n\nTraceback (most recent call last):\n" + FRAME.encode() * 100_000 + b"RecursionError: too deep"
    )


@_poison("2,500 different frames")
def _() -> bytes:
    frames = "".join(f'  File "/srv/shop/m{n}.py", line {n}, in f{n}\n    return g{n}(x)\n' for n in range(2_500))
    return mail(f"Traceback (most recent call last):\n{frames}ValueError: x".encode())


@_poison("1,000 causes")
def _() -> bytes:
    link = "\nThe above exception was the direct cause of the following exception:\n\n"
    one = f"Traceback (most recent call last):\n{FRAME}ValueError: x\n"
    return mail(link.join([one] * 1_000).encode())


@_poison("exception groups 1,000 deep")
def _() -> bytes:
    def level(depth: int) -> Iterator[str]:
        margin = "  " * min(depth, 60) + "| "
        yield f"{margin}Exception Group Traceback (most recent call last):\n"
        yield f"{margin}{FRAME.splitlines()[0]}\n{margin}ExceptionGroup: x (1 sub-exception)\n{margin}+-+---- 1 ----\n"

    return mail("".join(line for depth in range(1_000) for line in level(depth)).encode())


@_poison("a frame on which Pygments loops")
def _() -> bytes:
    lines = FRAME + '  File "/srv/shop/tree.py", line 7, x\n' + FRAME
    return mail(f"Traceback (most recent call last):\n{lines}ValueError: x".encode())


@_poison("nested trace headers")
def _() -> bytes:
    return mail(b"Traceback (most recent call last):\n" * 7_000)


@_poison("50 MB body")
def _() -> bytes:
    return mail(b"It broke again. " * (LARGEST // 16))


@_poison("50 MB of lines")
def _() -> bytes:
    return mail((FRAME * 12).replace("\n", "\r\n").encode() * (LARGEST // 900))


@_poison("line of 250,000 characters")
def _() -> bytes:
    return mail(b"x" * 250_000)


@_poison("250,000 lines")
def _() -> bytes:
    return mail(b"\n" * 250_000)


@_poison("3,500 lines of secrets")
def _() -> bytes:
    return mail(
        "".join(f"password{n}=secretvalue{n} token='abc{n}def' https://u:pw{n}@h/\n" for n in range(3_500)).encode()
    )


@_poison("unclosed PEM blocks")
def _() -> bytes:
    return mail(b"-----BEGIN PRIVATE KEY-----\n" * 8_000)


@_poison("long name of a secret")
def _() -> bytes:
    return mail(b"password" * 30_000 + b"=" + b"'" * 4_000)


@_poison("numbers, dots and colons")
def _() -> bytes:
    return mail(b"1.2.3.4:5:6::7-8-9T10:11:12." * 9_000)


@_poison("unclosed quotes")
def _() -> bytes:
    return mail("'\"`“«(<[{\\".encode() * 16_000)


# --- The relay's own formats ------------------------------------------------------------------------------------------


@_poison("JSON 30,000 deep")
def _() -> bytes:
    return with_json_part('{"version": 1, "request": ' + "[" * 30_000)


@_poison("JSON objects 9,000 deep")
def _() -> bytes:
    return with_json_part('{"a":' * 9_000 + "1" + "}" * 9_000)


@_poison("JSON with a number of 60,000 digits")
def _() -> bytes:
    return with_json_part('{"version": 1, "process": {"id": ' + "9" * 60_000 + "}}")


@_poison("JSON of wrong types")
def _() -> bytes:
    wrong = {"version": 1, "exceptions": [{"frames": [[], 1, None]}, 7], "request": [], "message": 3, "process": "x"}
    return with_json_part(json.dumps(wrong))


@_poison("JSON with NaN, surrogates and controls")
def _() -> bytes:
    return with_json_part('{"version": 1, "host": "\\ud800\\u0000\\u001b[2J\\u202e", "message": {"template": NaN}}')


@_poison("forged digest of the relay")
def _() -> bytes:
    return mail(b"It broke.", "X-Error-Mail-Relay: digest", "Auto-Submitted: auto-generated")


@_poison("invalid counts")
def _() -> bytes:
    claims = (f"X-Error-Mail-{name}: {'9' * 5_000}" for name in ("Count", "Dropped", "Level", "Record"))
    return mail(b"It broke.", "X-Error-Mail-Client: 1", *claims)


@_poison("forged cut marker")
def _() -> bytes:
    return mail(b"\r\n[... error-mail-relay: 999999999999999 bytes left out ...]\r\n" * 3_500)


_KNOWN_LINES = (
    "Subject", "Traceback (most recent call last):", "Message type:       ERROR", "Location:  a.py:7", "Time: ",
    "Message:", "Caused by: java.lang.Error: x", "\tat a.b.C.d(C.java:1)", "goroutine 1 [running]:", "panic: x",
    "#0 /srv/a.php(7): b()", "thread 'main' panicked at src/a.rs:1:2:", "    at f (/srv/a.js:1:2)",
    "Request Method: GET",
    "Exception Location: /a.py, line 1, in b", "<34>1 2026-01-01T00:00:00Z h a - - - x", 'level=error msg="x"',
    "[2026-01-01 00:00:00,000] ERROR in a: x", "from a.rb:1:in 'b'", "   at A.B.C() in /a.cs:line 1",
)  # fmt: skip
for _line in _KNOWN_LINES:
    POISONS[f"only {_line.strip()[:40]}"] = partial(_repeated, mail, f"{_line}\n".encode())
    POISONS[f"only {_line.strip()[:40]}, on one line"] = partial(_repeated, mail, _line.encode())


_PHRASES = (
    "error: ",
    "build a failed ",
    "Level: ERROR Message: a ",
    "2026-11-30 09:15:42 ERROR a ",
    "msg=a err=b ",
    "失败 ",
    "a'",
)
"""Pieces of lines that the document step reads."""
for _phrase in _PHRASES:
    _lines = "".join(f"{'abc'[number % 3]}{number} {(_phrase * 70)[:70]}\n" for number in range(3_000))
    POISONS[f"lines that differ, of {_phrase.strip()}"] = partial(mail, _lines.encode())


def as_smtp_data(content: bytes) -> bytes:
    """Return the content as SMTP DATA: dot-stuffed, with the end mark (RFC 5321, section 4.5.2)."""
    ended = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    return (b"\r\n" + ended).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
