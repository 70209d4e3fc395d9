"""Compare the subject of a mail with its message: a subject that repeats it is no name, one that says more counts.

Guarantee: pure, and linear in both texts.
"""

from __future__ import annotations

import re

from relay.memo import memoized

_WORD = re.compile(r"[^\W\d_]{3,40}|[가-힣]{2,20}|[一-鿿ぁ-ヿ]{2,20}")
_PREFIX = re.compile(r"(?:(?:re|fwd?|aw|wg|tr|sv) ?: ?){1,10}|\[[^\[\]]{1,60}\] ?", re.IGNORECASE)
_HOST = re.compile(
    r"(?:(?<!\w)(?:on|at|from|host|server|machine|node)(?::| |: )|[\w.+-]{0,64}@)[\w.-]{1,100}", re.IGNORECASE
)
_HOST_NAME = re.compile(
    r"(?<![\w/.-])[A-Za-z]{1,20}-?\d{1,4}(?:\.[\w-]{1,60}){0,6}(?![\w/-])|(?<![\w/.@-])(?:[\w-]{1,60}\.){2,6}[a-z]{2,12}(?![\w/(:-])"
)
"""`mx-27`, `web3.example.org`, `shop.example.org`."""
_CODE = re.compile(
    r"(?<![\w@])(?:[\w./\\-]{0,200}/)?(?P<name>[A-Za-z_]\w*(?:(?:\.|::|\\)[A-Za-z_]\w*)+|[A-Za-z]\w*_\w+|[A-Z]?[a-z0-9]+[A-Z]\w*|[\w.-]{1,80}\.(?:sh|py|pl|rb|js|php|exe|bat|ps1|jar))(?![\w@])"
)
"""A name from code: `etl.load_orders`, `send_invoices`, `TargetDown`, `/opt/app/sync.sh`. Not a word, not a host."""
_DIGITS = re.compile(r"\d{3,}|\d\.\d|[-_]\d+$")
_DOMAIN = re.compile(
    r"\.(?:com|org|net|io|dev|local|localdomain|lan|internal|intern|example|test|info|eu|de|kr|jp|cn|uk|fr|co)$",
    re.IGNORECASE,
)
_MAX_MESSAGE = 4_000
_LEAST_WORDS = 3
_MOSTLY = 0.8


def repeats(subject: str, message: str) -> bool:
    """Return True if the subject says what the message says: it has some words, and most of them stand there too."""
    words = _words(subject)
    return len(words) >= _LEAST_WORDS and _share(words, message) >= _MOSTLY


def addition(subject: str, message: str, *, strong: bool) -> str:
    """Return what the subject adds to `message`; "" if nothing.

    Of a `strong` message, which names a failure itself, only names from code count: the other words of a subject often
    name the host or a customer. Else all of the subject counts, without its prefix and the host.
    """
    text = subject
    for _ in range(3):
        text = _PREFIX.sub("", text, count=1) if _PREFIX.match(text) else text
    text = _HOST_NAME.sub("", _HOST.sub("", text))
    found = dict.fromkeys(each["name"] for each in _CODE.finditer(text) if _is_name(each["name"]))
    names = " ".join(name for name in found if name not in message)
    if strong:
        return names
    words = _words(text)
    return f"{text} {names}".rstrip() if words and _share(words, message) < _MOSTLY else names


def _is_name(text: str) -> bool:
    return not _DIGITS.search(text) and not _DOMAIN.search(text)


def _share(words: frozenset[str], message: str) -> float:
    return len(words & _words(message[:_MAX_MESSAGE])) / len(words)


@memoized(size=200_000, largest=4_000)
def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text))
