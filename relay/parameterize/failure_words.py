"""How strongly a line or a quoted text says that something failed, in the words of many languages.

Words are looked up, not searched for: a line is split into words once. The expressions below run only on lines that
have such a word.

Guarantee: pure, and linear in the line. Only the first `MAX_LINE` characters of a line are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from relay.memo import memoized
from relay.parameterize.failure_vocabulary import HINT_TEXTS, HINTS, LABELS, PHRASES, TEXTS, WORDS

MAX_LINE = 2_000
"""Characters of a line that are read."""
STRONG = 3
"""The score of one word of failure. A line with less says nothing about a failure."""
WEAK = 2
"""The score of a word that only hints at a failure, such as `alarm` or `slow`, and of a line that names no cause."""
_MOST_WORDS = 3

_WORD = re.compile(r"[\w'\u2019-]+")
_PHRASES = {first: frozenset(seconds.split()) for first, seconds in PHRASES.items()}
_TEXTS = re.compile("|".join((*TEXTS, r"수\s없")))
_HINT_TEXTS = re.compile("|".join(HINT_TEXTS))
_INSIDE = re.compile(r"(?<=[a-z])(?=[A-Z][a-z]{3})")
"""Between the words of a name: `DegradedArray`."""
_NONE = re.compile(
    r"(?<!\w)(?:no|zero|without(?:\sany)?|0|keine?|ohne|sans|aucune?|sin|sem|zonder|без|free\sof)\s{1,20}"
    r"(?:(?:new|other|further)\s{1,20})?(?:errors?|warnings?|failures?|problems?|faults?|fehler|warnungen|erreurs?|errores"
    r"|erros|fouten|ошибок|failed)(?!\w)"
    r"|(?<!\w)(?:errors?|warnings?|failures?|failed|fehler|erreurs?|dropped|lost)\s?[:=]\s{0,20}(?:0|none|no|false|null|nil)"
    r"(?![\w.])|오류\s?(?:없음|0)|(?<!\w)error[-\s]free",
    re.IGNORECASE,
)
"""A failure that did not happen: `0 errors`, `no failures`, `errors: none`."""
_TYPE = re.compile(
    r"(?<![\w@])[A-Z]\w{0,80}(?:Exception|Error|Failure|Fault|Panic|Violation|Interrupt|Denied|Timeout)(?!\w)"
    r"|(?<!\w)E_[A-Z_]{3,30}|SQLSTATE\[?\w{0,6}|ORA-\d{4,5}"
    r"|(?<!\w)E(?:CONN|HOST|NET|NO|ACC|PERM|AI_|PIPE|TIMED)[A-Z]{2,12}(?!\w)"
    r"|(?<!\w)(?:errno|error\scode|signal)\s?[:=]?\s?[1-9x]\w{0,8}|(?<!\d)[45]\d\d[ -][45]\.\d\.\d{1,3}(?!\d)"
    r"|(?<!\w)HRESULT|0x8[0-9A-Fa-f]{7}"
)
"""The type or the code of an error."""
_QUALIFIED = re.compile(r"\W{0,4}(?:[A-Z]\w{1,60}::){1,6}[A-Z]\w{1,60}: \S")
"""A line that begins with the qualified name of a class: `Mixlib::ShellOut::ShellCommandFailed: …`."""
_LABELLED = re.compile(r"\W{0,8}(?P<label>[^\W\d][\w./' -]{0,50}?)\s?[:\uff1a=]\s{0,20}\S")
_PLACE = re.compile(
    r"[\w/\\-]\.\w{1,10}(?::\d{1,6}(?!\d)|\(\d{1,6}[,)])|(?<!\w)line\s\d{1,7}(?!\d)|(?<!\w)on\sline\s|(?<!\w)at\s0x"
)
_COMMAND = re.compile(r"\+{1,4} |[$#>] ")
"""A command that a shell or a build prints before it runs it."""
_CODED = re.compile(r"(?<!\w)(?:fatal\s)?error(?:\s[A-Z]{0,6}\d{1,6})?:\s\S", re.IGNORECASE)
"""`total.ts(18,7): error TS2322: …`, `main.c:12: error: …`: what compilers and linters print."""
_ENDED = re.compile(
    r"(?:wurde|ist)\smit\s(?:einem\s)?fehlern?\s(?:abgebrochen|beendet)"
    r"|(?:ended|completed|finished|terminated|exited|aborted)\swith\s(?:an?\s)?(?:errors?|failures?|exit|status|code)"
    r"|s'est\sproduite?|se\sha\sproducido|si\sè\sverificat[oa]|ist\saufgetreten|произошла\sошибка"
    r"|(?:오류|에러|장애|예외)[가이]\s?발생(?:했|하였|되었|됐)|알려드립니다|확인\s바랍니다"
    r"|(?:エラー|例外)が発生|検知しました|検出しました|発生しました|お知らせ|发生(?:了)?(?:错误|异常)|發生(?:了)?錯誤",
    re.IGNORECASE,
)
_CONSEQUENCE = re.compile(
    r"\W{0,6}(?:finished|exit(?:ing|ed|s)?|done|aborting|execution\shalted|giving\sup|make(?:\[\d{1,3}\])?:|npm\sERR!"
    r"|(?:build|deploy\w{0,10}|job|script|command|process|task|step|pipeline|run|backup|cron)\b.{0,400}"
    r"\b(?:failed|failure|exited|returned|aborted|terminated|error|ended|finished|status)"
    r"|(?:[\w.-]{1,30}\s){1,2}(?:script|command|process|step)\s"
    r"(?:has\s|was\s)?(?:failed|aborted|terminated)\W{0,3}$"
    r"|returned\snon-zero|failed\swith\s(?:exit|status|code)|exit\s(?:code|status)|main\sprocess\sexited|failed\sto\sstart"
    r"|\d{1,6}\s(?:errors?|failures?|warnings?|problems?)(?:\s(?:found|generated|and|in|occurred))?\b"
    r"|(?:an?\s|the\sfollowing\s)?(?:errors?|exceptions?|problems?|failures?)\s(?:has|have|was|were|is|are)?\s?"
    r"(?:occurred|detected|found|caught|raised|reported|started|began|starting)|error\s(?:running|executing)"
    r"|(?:i'm|we're|we\sare|i\sam)\ssorry|we\sregret)",
    re.IGNORECASE,
)
"""The beginning of a line that says that a program ended because of an error, and not which."""
_ADVICE_WORDS = frozenset(
    """
    you your please visit click contact refer ask see for documentation notify notifies detect detects if in whenever
    should bitte falls siehe veuillez consultez por consulte prego si пожалуйста
    """.split()
)
"""The words with which `_ADVICE` begins."""
_ADVICE = re.compile(
    r"(?<!\w)(?:you\s(?:can|may|might|should|need|must|want|will|could)|please|visit|click|contact|refer\sto|ask\sfor"
    r"|your\s(?:host|administrator|system\sadmin\w{0,20}|it\sdep\w{0,20}|browser|inbox|account)|see\s(?:also|the)"
    r"|for\s(?:more|further|details|help|assistance)|documentation|notif(?:y|ies)\syou|detects?\s(?:when|if)"
    r"|if\s(?:the|this|it|not|a|an|there)|in\scase|whenever|should\sthe|bitte|falls|siehe|veuillez|consultez"
    r"|por\sfavor|consulte|prego|si\sprega|пожалуйста)(?!\w)"
    r"|바랍니다|하세요|하십시오|请|請|ください",
    re.IGNORECASE,
)
"""Words to the reader: what to do, and when."""


def has_failure_word(text: str) -> bool:
    """Return True if `text` has a word of failure, also if it names no cause: `Backup failed`."""
    text = _split_names(text[:MAX_LINE])
    return _count(text, _words(text)) > 0


@memoized(size=400_000, largest=2_000)
def score(line: str) -> int:
    """Return how strongly `line` says that something failed: 0 for nothing, `STRONG` and more for a failure.

    Advice to the reader ("if the error occurs again, contact your host") says less than its words.
    """
    line = line[:MAX_LINE]
    if _COMMAND.match(line):
        return 0
    text = _split_names(line)
    words = _words(text)
    count = _count(text, words)
    if count and (without := _NONE.sub(" ", line)) != line:
        text = _split_names(without)
        words = _words(text)
        count = _count(text, words)
    found = _sum(text, count)
    has_type = _TYPE.search(text) is not None
    if not has_type and _QUALIFIED.match(line):
        found += 4
    if found > WEAK and (_CONSEQUENCE.match(text) or (not has_type and _ENDED.search(text))):
        found = WEAK
    if found and (not _ADVICE_WORDS.isdisjoint(words) or not text.isascii()) and _ADVICE.search(text):
        return max(0, found - 4)
    return found or (WEAK if _hints(text, words) else 0)


def _sum(text: str, count: int) -> int:
    found = STRONG + count - 1 if count else 0
    found += 4 if _TYPE.search(text) else 0
    if _is_labelled(text):
        found += 3
    elif count and _CODED.search(text):
        found += 2
    return found + 1 if found and _PLACE.search(text) else found


def _is_labelled(text: str) -> bool:
    """Return True if the text begins with a label of a failure: `PHP Fatal error: …`, `오류 메시지: …`."""
    match = _LABELLED.match(text)
    if match is None:
        return False
    words = match["label"].lower().split()
    return bool(words) and (words[-1] in LABELS or " ".join(words[-2:]) in LABELS)


def _split_names(text: str) -> str:
    """Return `text` with a blank between the words of a name in camel case."""
    return _INSIDE.sub(" ", text)


def _words(text: str) -> Sequence[str]:
    """Return the words of `text` in lower case."""
    return [word.strip("'") for word in _WORD.findall(text.lower().replace("\u2019", "'"))]


def _count(text: str, words: Sequence[str]) -> int:
    """Return the number of words and phrases of failure, at most `_MOST_WORDS`. A word counts once."""
    count, in_phrase = 0, False
    for word, below in zip_longest(words, words[1:], fillvalue=""):
        if in_phrase:
            in_phrase = False
            continue
        in_phrase = word in _PHRASES and below in _PHRASES[word]
        count += in_phrase or word in WORDS or (word[1:2] == "'" and word[2:] in WORDS)  # l'erreur
        if count >= _MOST_WORDS:
            return count
    return min(_MOST_WORDS, count if text.isascii() else count + len(_TEXTS.findall(text)))


def _hints(text: str, words: Sequence[str]) -> bool:
    return not HINTS.isdisjoint(words) or (not text.isascii() and _HINT_TEXTS.search(text) is not None)
