"""The keys of `app.config` that error mails and log files read, and what to say about a misspelt one.

Flask ignores a key that nobody reads, so a misspelt one would be ignored without a word. Knows neither Flask nor a
handler; `app_client.flask` logs the sentences, and the doctor prints them. No sentence contains a value.
"""

import difflib
from collections.abc import Iterable

MAIL_KEYS = tuple(
    f"ERROR_MAIL_{name}"
    for name in (
        "HOST",
        "SENDER",
        "SUBJECT",
        "CREDENTIALS",
        "SECURE",
        "LEVEL",
        "LOGGERS",
        "ENVIRONMENT",
        "RELEASE",
        "FALLBACK",
        "REQUEST",
    )
)
LOG_KEYS = tuple(
    f"ERROR_LOG_{name}"
    for name in ("FILE", "ROTATE", "MAX_BYTES", "WHEN", "KEEP", "SYSLOG", "EVENTS", "LEVEL", "FORMAT", "ISO_TIME")
)
_PREFIXES = ("ERROR_MAIL", "ERROR_LOG_")


def unknown_keys(keys: Iterable[str]) -> list[str]:
    """Return one sentence for each key that looks like one of ours and is none, with the nearest known key."""
    known = (*MAIL_KEYS, *LOG_KEYS)
    return [_sentence(key, known) for key in sorted(keys) if key.startswith(_PREFIXES) and key not in known]


def _sentence(key: str, known: tuple[str, ...]) -> str:
    family = LOG_KEYS if key.startswith("ERROR_LOG") else MAIL_KEYS
    # All names of a family begin alike, which would make any two of them similar.
    prefix = "ERROR_LOG_" if family is LOG_KEYS else "ERROR_MAIL_"
    if not key.startswith(prefix):
        family, prefix = known, ""
    names = {each.removeprefix(prefix): each for each in family}
    near = [names[name] for name in difflib.get_close_matches(key.removeprefix(prefix), names, 1)]
    hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(family)}"
    return f'app.config["{key}"] is no setting of error mails and is ignored; {hint}'
