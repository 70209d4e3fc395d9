"""Sentences for administrators: what is wrong with the upstream, and what to do about it (outbox, `status`, web).

This is the only place for these sentences: the log, `relay status`, `/readyz` and the dashboard show the same ones.
`UpstreamState.detail` says what happened, at which step and with which server. This module adds the advice and the
time of the next try.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from relay.humanize import moment
from relay.model import Delayed, Failure, RecipientReply, UpstreamState

ADVICE = {
    Failure.UNREACHABLE: "check [upstream] host and port, the network and the firewall; increase timeout if the server "
    "is slow",
    Failure.UNWILLING: "the server refuses every mail from this relay: ask its administrator, or read its log",
    Failure.NO_TLS: 'the server offers no usable TLS: check port and security ("tls" for port 465)',
    Failure.CERTIFICATE: "the server's certificate is not trusted: check host, or set ca_file",
    Failure.AUTH: "check username and password, and the AUTH mechanisms that the server offers (the relay retries once "
    "an hour, and after a successful `relay send-test`)",
    Failure.PROTOCOL: "this does not look like a mail server: check host, port and security",
    Failure.REFUSED: "a 4xx reply is temporary (greylisting, an hourly limit); after a 5xx reply check sender and "
    "recipients, or ask the server's administrator",
    Failure.MAILBOX: "check the free disk space and the permissions of the folder, or set [upstream] host",
}

LOCAL = "local mailbox: no upstream is set; the dashboard shows the digests; set [upstream] host to send them"

UNKNOWN = "unknown, never tried by this relay; a running relay checks it at its start and every 15 minutes"

_SENDER = "the server rejects the sender address: check `sender`, or ask the server's administrator"
_RECIPIENT = "check this address in `admins` and the routes"
_CONTENT = "ask the server's administrator for the reason; `relay outbox list` lists the digest, the dashboard shows it"


def advice_on(reply: RecipientReply) -> str:
    """Return what to do about a message that one recipient did not get; `reply` is not an ACCEPTED one."""
    if reply.code == 0 and reply.step != "RCPT":
        state = "the mail may have been delivered" if reply.step else "the mail waits for the upstream"
        return f"nothing to do: {state}; a repeated mail has the same Message-ID"
    if reply.code // 100 == 4:
        return "nothing to do unless it continues: greylisting and rate limits are temporary"
    if reply.too_large:
        return "raise the server's limit, or lower [digest] max_size"
    return {"MAIL": _SENDER, "RCPT": _RECIPIENT}.get(reply.step, _CONTENT)


def describe_delays(delayed: Sequence[Delayed], zone: tzinfo) -> str:
    """Return one sentence on the recipients who still wait for a digest: why, what to do, and when the next try comes.

    Returns "" if nobody waits. Times are written in `zone`.
    """
    if not delayed:
        return ""
    first = delayed[0]
    reply = f"{first.code} {first.text}".removeprefix("0 ")
    others = len(delayed) - 1
    waiting = f"{first.recipient} and {others} more have" if others else f"{first.recipient} has"
    return (
        f"{waiting} been waiting for a digest since {moment(first.since, zone)}: {reply}; "
        f"{ADVICE[Failure.REFUSED]}; next try {moment(first.next_try_at, zone)}"
    )


class UpstreamHealth(NamedTuple):
    """Whether digests reach the upstream or the local mailbox, and a sentence for the administrator."""

    ok: bool
    sentence: str


def upstream_health(
    state: UpstreamState, *, name: str, next_message_at: datetime | None, now: datetime, zone: tzinfo
) -> UpstreamHealth:
    """Judge the upstream by its stored state.

    `name` is the configured upstream, "" for the local mailbox. `next_message_at` is the time of the next try of any
    queued message, None if none is queued. An upstream that was never reached is not ok: nothing is known about it.
    """
    failure = state.failure
    if failure is None:
        if not name:
            return UpstreamHealth(ok=True, sentence=LOCAL)
        ok = bool(state.last_success_at or state.checked_at)
        return UpstreamHealth(ok=ok, sentence=f"{name}: {_last_success(state, zone)}")
    since = f" since {moment(state.failing_since, zone)}" if state.failing_since else ""
    when = _next_try(state, next_message_at, now, zone)
    sentence = f"{failure}{since} ({state.detail or name}); {ADVICE[failure]}; next try {when}"
    return UpstreamHealth(ok=False, sentence=sentence)


def _last_success(state: UpstreamState, zone: tzinfo) -> str:
    checked = f"connection and login worked at {moment(state.checked_at, zone)}" if state.checked_at else ""
    if state.last_success_at is None:
        return f"{checked}; no mail sent yet" if checked else UNKNOWN
    refused = f"; {state.detail}; {ADVICE[Failure.REFUSED]}" if state.detail and not state.failure else ""
    since = f"; {checked}" if state.checked_at and state.checked_at > state.last_success_at else ""
    return f"no failure known, accepted the last mail at {moment(state.last_success_at, zone)}{since}{refused}"


def _next_try(state: UpstreamState, next_message_at: datetime | None, now: datetime, zone: tzinfo) -> str:
    if next_message_at is None:
        if state.next_try_at is None or state.failure is Failure.MAILBOX:
            return "with the next message"
        next_message_at = state.next_try_at  # the next check, without a message
    at = max(next_message_at, state.next_try_at or next_message_at)
    return moment(at, zone) if at > now else "now"
