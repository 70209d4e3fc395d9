"""Decide from the values at one position of a message whether they are data (learning → evidence).

Pure. Data is open: many values, each seen seldom. Values that come again and again are an enumeration, and the wording
of an error is no data at all, however many wordings there are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from relay.parameterize.failure_words import has_failure_word

LEAST_VALUES = 3
"""Distinct values that are needed at each position that varies."""
LEAST_VALUES_AT_LINE = 2
"""The same where one line of one release reported them all."""
SELDOM = 2
"""A value that was seen more often counts as one that comes again and again."""
AGAIN = 4
"""A value that was seen so often came again and again."""
LEAST_FIXED_WORDS = 2
"""Words that do not vary and have at least three letters."""

MAX_WORD = 100
"""Characters of a word that are examined."""
MAX_MEMOIZED = 2_048
"""Words whose look is memoized."""

DATA = "*"
"""The placeholder of the fingerprint for data that its rules recognise."""

_FIXED_WORD = re.compile(r"[^\W\d_]{3}")
_IS_DATA = re.compile(r"[(\[{<'\"]?\*[)\]}>'\"]?[,.;:!?]?")
_KEY = re.compile(r"([\w.-]{1,40}(?:=(?=.)|:(?=[^\W\d_])))")

_FUNCTION_WORDS = """
a an the this that these those any all some each every other another no none not never
to from in on of for with by at into onto over under between within without via per as than then
is are was were be been being am has have had do does did will would can could cannot may might must shall should
and or but nor so if when while after before during until since because unless whether though
it its he she they them their we you your our i my me his her who which what where why how
out up down off again already only just still yet more less too very here there now soon
der die das den dem des ein eine einen einem einer und oder nicht kein keine von vom zu zum zur mit bei nach vor aus
im in am auf ist sind war wurde wird werden hat haben kann konnte
le la les un une des du au aux et ou ne pas de est sont a ont
el los las una del al y o no es son ha han
"""
_WORDING = frozenset(_FUNCTION_WORDS.split())
"""Words with a function in the sentence: a message that differs in one of them says something else."""
_INFLECTED = re.compile(r"[a-z]{2,}(?:ed|ing)|[A-Z][a-z]+(?:ed|ing)|[A-Z]{2,}(?:ED|ING)")
"""What was done, or is: `posted`, `Deleting`."""
_CODE_NAME = re.compile(
    r"[A-Z]\w*(?:Error|Exception|Warning|Failure|Fault|Timeout|Interrupt|Denied)\b"
    r"|\)\.\w|^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$|^E[A-Z]{3,13}$|^SIG[A-Z]{2,6}\d*$|^[A-Z]{1,6}\d?_[A-Z_]+$"
)
"""Exception types, functions, and the constants of error codes and signals. They are never data."""
_BARE_VALUE = re.compile(r"\(?[^\W_]+(?:[.@-][^\W_]+)*\)?[,.;]?")
_ANNOUNCING_WORDS = """
by for from to with at of via user client customer account von für durch an par pour de da por para
"""
_BEFORE_VALUE = frozenset(_ANNOUNCING_WORDS.split())
"""Words behind which a message names a value."""
_AROUND = "()[]{}<>'\"`,.;:!?"


def is_data(word: str) -> bool:
    """Return whether the fingerprint's rules replaced the whole word."""
    return _IS_DATA.fullmatch(word) is not None


@lru_cache(maxsize=MAX_MEMOIZED)
def may_be_data(word: str) -> bool:
    """Return whether a word of a message can be a value, judged by how it looks."""
    bare = word[:MAX_WORD].strip(_AROUND)
    if not bare or word.startswith(":") or "()" in word or _CODE_NAME.search(bare):
        return False  # `:colour` is a symbol of Ruby or Elixir
    if DATA in bare:
        return True
    if bare.isdigit():
        return False  # numbers that the fingerprint keeps are status codes, error numbers and the like
    return not (bare.lower() in _WORDING or _INFLECTED.fullmatch(bare) or has_failure_word(bare))


def value_in(text: str, word: str) -> str:
    """Return the value behind a word with data in it: `node17` for `node*`; the word itself if it is not in `text`.

    At most `MAX_WORD` characters of it.
    """
    if DATA not in word or is_data(word):
        return word[:MAX_WORD]
    pieces = word.split(DATA)
    return next((value for value in text.split() if _fits(value, pieces)), word)[:MAX_WORD]


def _fits(value: str, pieces: Sequence[str]) -> bool:
    """Return whether the pieces follow one another in the value, from its first to its last character."""
    first, *between, last = pieces
    if not (value.startswith(first) and value.endswith(last) and len(value) > len(first) + len(last)):
        return False
    place = len(first)
    for piece in between:
        place = value.find(piece, place)
        if place < 0:
            return False
    return True


def have_one_key(words: Collection[str]) -> bool:
    """Return whether all words name the same key, or none: `user=anna` and `user=bob`, but not `user=anna`, `id=7`."""
    return len({found[1] if (found := _KEY.match(word)) else "" for word in words}) == 1


def fixed_words(words: Collection[str], most: int | None = None) -> int:
    """Return how many words are words of the message: three of their characters in a row are of an alphabet.

    Counts at most `most` of them.
    """
    return sum(1 for _ in islice(filter(_FIXED_WORD.search, words), most))


def is_open(seen: Mapping[str, int]) -> bool:
    """Return whether the values are data: many values, most of them seen once or twice. `seen` has the mails of each.

    A word that the rules already recognise as data stands for as many values as mails had one. A word with data in it,
    such as `node*`, is another value each time.
    """
    distinct = sum(min(mails, LEAST_VALUES) if is_data(word) else 1 for word, mails in seen.items())
    return distinct >= LEAST_VALUES and 2 * sum(_came_often(seen, SELDOM + 1)) < distinct


def are_named(seen: Mapping[str, int], before: str) -> bool:
    """Return whether the values stand where a message names a value. `before` is the word before them, "" for none.

    This is asked of values that one line of the code reported: it needs two of them, both seen once or twice. Such a
    line also reports `rose` and `fell`, `"price"` and `"stock"`, so they must be bare words behind a preposition or a
    colon.
    """
    announced = before.lower() in _BEFORE_VALUE or before.endswith((":", "=")) if before else True
    return (
        len(seen) >= LEAST_VALUES_AT_LINE
        and announced
        and max(seen.values()) <= SELDOM
        and all(_BARE_VALUE.fullmatch(word) for word in seen)
        and (bool(before) or all(word[0].islower() for word in seen))
    )


def is_enumeration(seen: Mapping[str, int]) -> bool:
    """Return whether few values come again and again. `seen` has the mails of each, and all values that there were."""
    if any(map(is_data, seen)):
        return False
    words = sum(DATA not in word for word in seen)
    times = AGAIN if len(seen) > LEAST_VALUES_AT_LINE else SELDOM + 1
    return words > 0 and 4 * sum(_came_often(seen, times)) >= 3 * words


def _came_often(seen: Mapping[str, int], times: int) -> list[bool]:
    return [DATA not in word and mails >= times for word, mails in seen.items()]
