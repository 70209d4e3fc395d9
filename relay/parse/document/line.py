"""One line of a text: what it says without the header of a log, and how strongly it says that something failed.

Guarantee: pure, and linear in the line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.parameterize import failure_words
from relay.parse.document.fields import Field, Meaning, field_of, is_known
from relay.parse.document.records import begins_with_time
from relay.parse.layouts import syslog

_HEADING = 2
"""The score of a line that ends with a colon and speaks of a failure: what it announces says more."""
_LABELLED = 3
"""What a label of the meaning MESSAGE adds to the score of its value; TYPE adds one more."""
_ANNOUNCES = re.compile(
    r"(?:quoted|listed|shown|given|printed|reproduced)\s(?:here\s)?below|(?:see|found)\sbelow|(?:is|are|as)\sfollows"
    r"|the\sfollowing\s(?:lines|errors?|output|log|messages?)|last\s\d{1,4}\slines|nachfolgend|im\sfolgenden|ci-dessous"
    r"|a\scontinuación|다음과\s같|아래와\s같|以下の|如下",
    re.IGNORECASE,
)
"""A sentence that announces what stands below it: that says more."""
_COUNTS = re.compile(
    r"(?:you\shave|there\s(?:is|are|was|were|has\sbeen|have\sbeen)|we\s(?:have\s)?(?:found|detected))\s(?:\d{1,7}|no|an?)\s",
    re.IGNORECASE,
)
"""A sentence that counts failures and names none: `You have 3 firing alert(s)`."""
_PAIR = re.compile(r"(?<!\S)[\w.-]{1,40}=")


class Line(NamedTuple):
    """One line of a block."""

    number: int
    text: str
    score: int
    """How strongly it says that something failed; see `failure_words.score`."""
    field: Field | None = None
    """If it is a labelled value."""
    logged: bool = False
    """True for a line of a log, which begins with a time."""


def line_of(number: int, whole: str, *, introduced: bool) -> Line:
    """Return the line `whole`. `introduced`: the line above announces a failure."""
    text = syslog.without_header(whole)
    field = field_of(text)
    score = failure_words.score(text)
    if field is not None:
        score = _field_score(field, score)
    if introduced and score >= failure_words.WEAK:
        score = max(score, failure_words.STRONG) + 1
    elif field is None and (text.endswith((":", "：")) or _ANNOUNCES.search(text) or _COUNTS.match(text.lstrip())):
        score = min(score, _HEADING)
    return Line(number, text, score, field, begins_with_time(whole))


_FINE = frozenset(
    [
        "ok",
        "success",
        "successful",
        "succeeded",
        "passed",
        "done",
        "running",
        "up",
        "completed",
        "complete",
        "0",
        "none",
        "normal",
        "good",
        "healthy",
        "finished",
        "true",
        "yes",
    ]
)


def _is_fine(value: str) -> bool:
    return _is_fine_word(value) or (value.startswith(("0 ", "2")) and value[:3].isdigit())


def _field_score(field: Field, score: int) -> int:
    """Return the score of a labelled value; `score` is that of the whole line."""
    if not field.value:
        return min(score, failure_words.STRONG)
    value = failure_words.score(field.value)
    says_failure = failure_words.has_failure_word(field.label) and not _is_fine_word(field.value)
    match field.meaning:
        case Meaning.TYPE:
            found = value + _LABELLED + 1
        case Meaning.MESSAGE if _is_fine_word(field.value):
            found = 0
        case Meaning.MESSAGE if value < failure_words.WEAK and not is_known(field.label):
            found = value  # Build reason: a push triggered this build
        case Meaning.MESSAGE:
            found = max(value, 1) + _LABELLED - 1 + (2 if says_failure else 0)
        case Meaning.STATE if _is_fine(field.value):
            found = 0
        case Meaning.STATE:
            found = max(value, failure_words.STRONG if field.value[0].isdigit() else score - 1)
        case Meaning.SUBJECT | Meaning.PLACE:
            found = value
        case Meaning.LEVEL:
            found = min(value, 1)
        case _:
            found = _circumstance_score(field.value, value, says_failure=says_failure)
    return found


def _circumstance_score(text: str, score: int, *, says_failure: bool) -> int:
    """Return the score of a value whose label only describes the circumstances; `score` is that of the value alone."""
    if len(_PAIR.findall(text)) > 1:
        return min(score, 1)  # Labels: alertname=… severity=warning
    if " " not in text and score <= failure_words.STRONG:
        return min(score, failure_words.WEAK)  # Notification type: PROBLEM
    return max(score, failure_words.STRONG if says_failure else 0)


def _is_fine_word(value: str) -> bool:
    return value.lower().strip(" .") in _FINE
