"""What is wrong with the upstream and what an administrator can do about it (outbox, `status`, web → people).

The one home for these words: the log, `relay status`, `/readyz` and the dashboard say the same. What happened, at
which step and with which server is in `UpstreamState.detail`; here stands what to do, and when the next try comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from relay.humanize import moment
from relay.model import Delayed, Failure, RecipientReply, UpstreamState

ADVICE = {
    Failure.UNREACHABLE: "check [upstream] host and port, the network and the firewall; a slow server needs a longer "
    "timeout",
    Failure.UNWILLING: "it turns us away, whatever the mail: ask its administrator, or look at its log",
    Failure.NO_TLS: 'it offers no encryption: check port and security ("tls" for port 465)',
    Failure.CERTIFICATE: "its certificate is not trusted: check host, or set ca_file",
    Failure.AUTH: "check username and password, and which ways of AUTH it offers (tried again once an hour, and after "
    "a restart)",
    Failure.PROTOCOL: "this does not look like a mail server: check host, port and security",
    Failure.REFUSED: "a 4xx passes by itself (greylisting, a limit on mails an hour); for a 5xx check sender and "
    "recipients, or ask its administrator",
    Failure.MAILBOX: "check the disk and the folder's permissions, or set [upstream] host",
}

LOCAL = "local mailbox: no upstream is set; the dashboard shows the digests; set [upstream] host to send them"

_SENDER = "check `sender`, which this server does not want, or ask its administrator"
_RECIPIENT = "check this address in `admins` and the routes"
_CONTENT = "ask its administrator why; `relay outbox list` has the letter, the dashboard shows it"


def advice_on(answer: RecipientReply) -> str:
    """What to do about a letter that one recipient did not get; `answer` is not a TAKEN one."""
    if answer.code == 0 and answer.step != "RCPT":
        arrived = "it may have arrived all the same" if answer.step else "it waits for the upstream"
        return f"nothing: {arrived}; a repeat has the same Message-ID"
    if answer.code // 100 == 4:
        return "nothing, unless it goes on: greylisting and limits pass by themselves"
    if answer.too_large:
        return "raise the server's limit, or lower [digest] max_size"
    return {"MAIL": _SENDER, "RCPT": _RECIPIENT}.get(answer.step, _CONTENT)


def delays(delayed: Sequence[Delayed], zone: tzinfo = UTC) -> str:
    """Say in one sentence whom a digest has not reached yet, why, and what to do; "" where there is nobody."""
    if not delayed:
        return ""
    first = delayed[0]
    word = f"{first.code} {first.text}".removeprefix("0 ")
    who = f"{first.recipient} and {len(delayed) - 1} more wait" if len(delayed) > 1 else f"{first.recipient} waits"
    return (
        f"{who} for a digest since {moment(first.since, zone)}: {word}; "
        f"{ADVICE[Failure.REFUSED]}; next try {moment(first.next_try_at, zone)}"
    )


class Finding(NamedTuple):
    """Whether mail gets out, and a sentence that says so."""

    ok: bool
    words: str


def finding(
    state: UpstreamState, *, name: str, next_letter_at: datetime | None, now: datetime, zone: tzinfo = UTC
) -> Finding:
    """Judge the upstream by what is known of it.

    `name` is the upstream's as configured, "" for the local mailbox; `next_letter_at` is when the next letter wants to
    be tried, None where none is queued. What is known of the mailbox says nothing of an upstream, and vice versa.
    """
    trouble = state.failure
    if not name and trouble is not Failure.MAILBOX:
        return Finding(ok=True, words=LOCAL)
    if trouble is None or (name and trouble is Failure.MAILBOX):
        return Finding(ok=True, words=f"{name}: {_last(state, zone)}")
    since = f" since {moment(state.failing_since, zone)}" if state.failing_since else ""
    when = _next_try(state, next_letter_at, now, zone)
    words = f"{trouble}{since} ({state.detail or name}); {ADVICE[trouble]}; next try {when}"
    return Finding(ok=False, words=words)


def _last(state: UpstreamState, zone: tzinfo) -> str:
    if state.last_success_at is None:
        return "no trouble known, not tried yet"
    besides = f"; {state.detail}; {ADVICE[Failure.REFUSED]}" if state.detail and not state.failure else ""
    return f"no trouble known, took the last mail {moment(state.last_success_at, zone)}{besides}"


def _next_try(state: UpstreamState, next_letter_at: datetime | None, now: datetime, zone: tzinfo) -> str:
    if next_letter_at is None:
        return "with the next letter"
    at = max(next_letter_at, state.next_try_at or next_letter_at)
    return moment(at, zone) if at > now else "now"
