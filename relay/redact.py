"""Secrets are masked before a report is kept or sent anywhere (parse → redact → fingerprint).

Guarantee: what is found once is masked wherever it stands in that report, as `[masked]`. Names
from code (files and functions in frames, the logging place) are left alone, so masking never
changes which error a report belongs to: a masked value is data, and data does not count there.
Time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from relay import traces
from relay.model import Report

MASK = "[masked]"

MIN_ECHO = 6
"""Characters that a masked value needs to be looked for elsewhere: a shorter one is too often a word of its own."""
MAX_ECHOES = 50

_MAX_VALUE = 4_000


class _Secret(NamedTuple):
    """A span of a text that is masked, and what of it is looked for elsewhere."""

    start: int
    end: int
    echo: str = ""


_TEXTS = ("app", "subject", "situation_reason", "message", "template", "thread")
"""Fields of a report that hold data, besides the trace, whose code is left alone, and the facts of the request."""


def redact(report: Report) -> Report:
    """`report` with its secrets masked; the same object where there are none."""
    texts = [*(getattr(report, name) for name in _TEXTS), *(value for _, value in report.request), report.trace]
    found = [_secrets(text) for text in texts]
    if not any(found):
        return report
    echoes = {secret.echo: None for secrets in found for secret in secrets if len(secret.echo) >= MIN_ECHO}
    patterns = [_echo_pattern(echo) for echo in sorted(echoes, key=len, reverse=True)[:MAX_ECHOES]]
    *masked, trace = (_masked(text, secrets) for text, secrets in zip(texts, found, strict=True))
    without = [_without(text, patterns) for text in masked]
    changed: dict[str, Any] = dict(zip(_TEXTS, without, strict=False))
    labels = [label for label, _ in report.request]
    changed["request"] = tuple(zip(labels, without[len(_TEXTS) :], strict=True))
    return replace(report, trace=_without_in_trace(trace, patterns), **changed)


_FRAME = re.compile(r"[ \t|>]{0,40}(?:File \"|at \S|from \S|\S{1,400}:\d{1,9}:in )")
"""A line that names a file and a function: what stands there comes from code."""


def _masked(text: str, secrets: list[_Secret]) -> str:
    pieces: list[str] = []
    done = 0
    for secret in sorted(secrets):
        if secret.start >= done:
            pieces += (text[done : secret.start], MASK)
        done = max(done, secret.end)
    return "".join(pieces) + text[done:]


def _echo_pattern(value: str) -> re.Pattern[str]:
    """Anywhere, for what can only be a secret; as a word of its own, for what may be part of a longer word."""
    escaped = re.escape(value)
    return re.compile(rf"(?<![A-Za-z]){escaped}(?![A-Za-z])" if value.isalpha() else escaped)


def _without(text: str, patterns: list[re.Pattern[str]]) -> str:
    for pattern in patterns:
        text = pattern.sub(MASK, text)
    return text


def _without_in_trace(trace: str, patterns: list[re.Pattern[str]]) -> str:
    if not patterns:
        return trace
    found = traces.find(trace)
    types = tuple({error.type for error in found.errors if error.type}) if found else ()
    return "\n".join(_without_in_line(line, types, patterns) for line in trace.split("\n"))


def _without_in_line(line: str, types: tuple[str, ...], patterns: list[re.Pattern[str]]) -> str:
    """Frames stay, and so does an exception's type: both come from code."""
    if _FRAME.match(line):
        return line
    content = line.lstrip(" \t|")
    kept = len(line) - len(content)
    if types and content.startswith(types):
        kept += len(content.partition(":")[0])
    return line[:kept] + _without(line[kept:], patterns)


MAX_KEPT = 16_384
"""Characters of a stack whose secrets are kept in memory; with the number of stacks this bounds it."""
MAX_KEPT_STACKS = 256
MAX_SHORT = 200
"""Likewise for the app, the subject, the heading of a trace: short texts that are the same in mail after mail."""
MAX_KEPT_SHORT = 1_024
_STACK = re.compile(r"\n((?:[ \t][^\n]*\n){8,})")
"""Indented lines, as the calls of a trace are: a repeated error has the very same ones."""


def _secrets(text: str) -> list[_Secret]:
    found: list[_Secret] = []
    if len(text) <= MIN_ECHO:
        return found
    done = 0
    for stack in _STACK.finditer(text):
        found += _moved(_in_piece(text[done : stack.start(1)]), done)
        found += _moved(_in_stack(stack[1]), stack.start(1))
        done = stack.end()
    found += _moved(_in_piece(text[done:]), done)
    found += _pem_blocks(text)
    return found


def _moved(secrets: Iterable[_Secret], by: int) -> Iterable[_Secret]:
    return [_Secret(secret.start + by, secret.end + by, secret.echo) for secret in secrets] if by else secrets


def _in_piece(text: str) -> Iterable[_Secret]:
    return _kept_short(text) if len(text) <= MAX_SHORT else _in_lines(text)


@lru_cache(maxsize=MAX_KEPT_SHORT)
def _kept_short(text: str) -> tuple[_Secret, ...]:
    return tuple(_in_lines(text))


def _in_stack(text: str) -> Iterable[_Secret]:
    return _kept_stack(text) if len(text) <= MAX_KEPT else _in_lines(text)


@lru_cache(maxsize=MAX_KEPT_STACKS)
def _kept_stack(text: str) -> tuple[_Secret, ...]:
    return tuple(_in_lines(text))


def _in_lines(text: str) -> Iterator[_Secret]:
    """Those that stand on one line each."""
    yield from _labelled(text)
    yield from _in_urls(text)
    yield from _by_their_form(text)
    yield from _cards(text)


# --- Behind a name that gives them away -------------------------------------------------------------------------------

_NAMES = {
    "pass": ("password", "passwords", "passwd", "passphrase", "passcode", "pass="),
    "pwd": ("pwd",),
    "secret": ("secret", "secrets"),
    "token": ("token",),
    "key": (
        "api_key", "api-key", "apikey", "api key", "access_key", "accesskey", "access-key", "account_key", "accountkey",
        "private_key", "privatekey", "private-key", "private key", "signing_key", "encryption_key",
    ),
    "auth": ("authorization", "auth_key", "authkey", "auth="),
    "cookie": ("cookie", "cookies"),
    "session": ("session",),
    "srf": ("csrf", "xsrf"),
    "credentials": ("credentials",),
    "sig": ("signature=", "sig="),
}  # fmt: skip
"""In lower case, by a part of them that few texts hold, so that most names need not be looked for.

A key may have anything in front, but after it only what `_REST` allows: `token_type` is no secret.
"""
_REST = re.compile(
    r"(?:[_-]?(?:access|id|key|token|hash|value|header|salt|base64|b64|pem|middlewaretoken|confirm(?:ation)?|again|old|new"
    r"|\d{1,2})){0,4}[\"'\]]{0,2}[ \t]{0,3}(?:=>|:=|:|=(?!=)|(?<==))[ \t]{0,3}",
    re.IGNORECASE,
)
_VALUE = re.compile(
    rf"[bBrRuU]{{0,2}}(?:\"(?P<double>(?:[^\"\\\n]|\\.){{0,{_MAX_VALUE}}})\"?"
    rf"|'(?P<single>(?:[^'\\\n]|\\.){{0,{_MAX_VALUE}}})'?|(?P<bare>[^\s,;&\"'<>()\[\]{{}}]{{1,{_MAX_VALUE}}}))"
)
_HEADER_VALUE = re.compile(rf"[\"']?(?P<all>[^\"'\n]{{1,{_MAX_VALUE}}})")
_COOKIE_PARTS = re.compile(r"[;,=\s]+")
_HEADERS = ("authorization", "cookie")
_SCHEME = re.compile(r"(?:Bearer|Basic|Digest|Token|Negotiate|ApiKey) {1,3}", re.IGNORECASE)
_NOTHING = frozenset(("none", "null", "nil", "true", "false", "undefined", "str", "bytes", "string", "optional"))
_PROSE = re.compile(r" [a-z]")
_SOURCE = re.compile(r"[ \t|>]{0,40}File \"")


def _labelled(text: str) -> Iterator[_Secret]:
    lower = text.replace("\u0130", "I").lower()  # the one letter that would change the length
    for name in (name for part, names in _NAMES.items() if part in lower for name in names):
        place = lower.find(name)
        while place >= 0:
            end = place + len(name)
            label = _REST.match(text, end)
            value = _value_after(text, name, label) if label else None
            if label and value and value.end > value.start:
                end = value.end
                if not (value.bare and _is_code_or_prose(text, label, value)):
                    yield value.secret
            place = lower.find(name, end)


class _Value(NamedTuple):
    """What stands behind a label; `bare` where it has no quotes."""

    start: int
    end: int
    secret: _Secret
    bare: bool


def _value_after(text: str, name: str, label: re.Match[str]) -> _Value | None:
    if name in _HEADERS and ":" in label[0]:
        return _header_after(text, label.end())
    match = _VALUE.match(text, label.end())
    if match is None:
        return None
    group = match.lastgroup or "bare"
    value = match[group]
    if not value.strip("*") or MASK in value or (group == "bare" and value.lower() in _NOTHING):
        return None
    secret = _Secret(match.start(group), match.end(group), value)
    return _Value(secret.start, match.end(), secret, group == "bare")


def _header_after(text: str, start: int) -> _Value | None:
    """A whole header: the credentials behind a scheme, or all cookies."""
    match = _HEADER_VALUE.match(text, start)
    if match is None or not match["all"].strip("* "):
        return None
    begin, end = match.span("all")
    scheme = _SCHEME.match(text, begin, end)
    begin = scheme.end() if scheme else begin
    longest = max(_COOKIE_PARTS.split(text[begin:end]), key=len)
    return _Value(begin, end, _Secret(begin, end, longest), bare=False)


def _is_code_or_prose(text: str, label: re.Match[str], value: _Value) -> bool:
    word = value.secret.echo
    if word.startswith("/") or text[value.end : value.end + 1] in ("(", "["):
        return True  # the environment's PWD; a call or a subscript
    if ":" in label[0] and word.isalpha() and word.islower() and _PROSE.match(text, value.end):
        return True  # "invalid token: expected a number"
    line = text.rfind("\n", max(0, label.start() - 1_000), label.start())
    before = text.rfind("\n", max(0, line - 1_000), line) if line > 0 else -1
    return line > 0 and _SOURCE.match(text, before + 1) is not None  # a line of source holds names, not values


# --- Known by their form ----------------------------------------------------------------------------------------------

_USER_INFO = re.compile(r"(?<=://)(?P<user>[^\s/@:\"'<>]{0,200})(?::(?P<password>[^\s/\"'<>]{0,300}))?@(?=[\w\[-])")
_FORMS = re.compile(
    r"(?<![\w.-])(?:"
    r"eyJ[\w-]{8,4000}\.[\w-]{4,4000}(?:\.[\w-]{0,4000})?"  # JWT (RFC 7519)
    r"|(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_\w{22,255}|glpat-[\w-]{20,100}"  # GitHub, GitLab
    r"|xox[abeoprs]-[\w-]{10,250}|xapp-[\w-]{10,250}"  # Slack
    r"|[srp]k_(?:live|test)_[A-Za-z0-9]{10,250}|whsec_[A-Za-z0-9]{10,250}"  # Stripe
    r"|AIza[\w-]{35}|ya29\.[\w-]{20,500}"  # Google
    r"|SG\.[\w-]{16,64}\.[\w-]{16,64}|sk-[\w-]{20,200}"  # SendGrid, OpenAI
    r"|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,300}"
    r")(?![A-Za-z0-9])"
)
_FORM_MARKS = (
    "eyJ", "AKIA", "ASIA", "AROA", "AIDA", "gh", "github_pat", "glpat", "xox", "xapp", "k_live", "k_test", "whsec",
    "AIza", "ya29", "SG.", "npm_", "pypi-", "sk-",
)  # fmt: skip
_SLACK_HOOK = re.compile(r"(?<=hooks\.slack\.com/services/)[\w/]{10,100}")
_BEARER = re.compile(r"(?<=Bearer )(?=[\w.~+/-]{0,200}\d)[\w.~+/-]{16,4000}={0,2}")


def _in_urls(text: str) -> Iterator[_Secret]:
    if "://" in text:
        for match in _USER_INFO.finditer(text):
            yield _Secret(match.start(), match.end() - 1, match["password"] or "")


def _by_their_form(text: str) -> Iterator[_Secret]:
    if any(mark in text for mark in _FORM_MARKS):
        for match in _FORMS.finditer(text):
            yield _Secret(match.start(), match.end(), match[0])
    if "Bearer " in text:
        for match in _BEARER.finditer(text):
            yield _Secret(match.start(), match.end(), match[0])
    if "hooks.slack.com" in text:
        for match in _SLACK_HOOK.finditer(text):
            yield _Secret(match.start(), match.end(), match[0])


_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,60}-----")


def _pem_blocks(text: str) -> Iterator[_Secret]:
    """Keys and certificates (RFC 7468); one that is cut off reaches to the end."""
    place = 0
    while (place := text.find("-----BEGIN ", place)) >= 0:
        start = _PEM.match(text, place)
        if start is None:
            place += 1
            continue
        end = text.find("-----END ", start.end())
        end = len(text) if end < 0 else end
        yield _Secret(start.end(), end)
        place = end


_CARD = re.compile(
    r"[2-6](?<![\w.-].)(?:(?<=2)[2-7]\d{2}(?:[ -]?\d){12}|(?<=3)\d{3}(?:[ -]?\d){10,15}"
    r"|(?<=[4-6])\d{3}(?:[ -]?\d){9,15})(?![\w-]|\.\d)"
)
"""Issuers' ranges: 2221 to 2720 have 16 digits, 3 has at least 14, and a moment such as 20260917114502 is none."""


def _cards(text: str) -> Iterator[_Secret]:
    """Numbers of payment cards (ISO/IEC 7812): an issuer's first digit, 13 to 19 of them, and the check digit.

    The folders of a frame are none: a release is often named after its moment or number.
    """
    for match in _CARD.finditer(text):
        if _luhn([int(char) for char in match[0] if char.isdigit()]) and not _is_folder_in_frame(text, match.start()):
            yield _Secret(match.start(), match.end(), match[0])


def _is_folder_in_frame(text: str, place: int) -> bool:
    line = text.rfind("\n", max(0, place - 1_000), place) + 1
    return line > 0 and text[place - 1] in "/\\" and _FRAME.match(text, line) is not None


def _luhn(digits: list[int]) -> bool:
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
