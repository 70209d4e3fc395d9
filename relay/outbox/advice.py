"""Sentences for administrators: what is wrong with the upstream, and what to do about it (outbox, `status`, web).

This is the only place for these sentences: the log, `relay status`, `/readyz` and the dashboard show the same ones.
`UpstreamState.detail` says what happened, at which step and with which server. This module adds the advice and the
time of the next try.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

from relay.humanize import moment
from relay.model import BouncingRecipient, Cause, Delayed, Failure, RecipientReply, UpstreamState, cause_of
from relay.outbox.token_advice import FALLBACK, LOGIN_REFUSED, token_advice

_AUTH_PAUSE_NOTE = " (the relay retries once an hour, and after a successful `relay send-test`)"
ADVICE = {
    Failure.UNREACHABLE: "check [upstream] host and port, the network and the firewall; increase timeout if the server "
    "is slow",
    Failure.UNWILLING: "the server refuses every mail from this relay: ask its administrator, or read its log",
    Failure.NO_TLS: 'the server offers no usable TLS: check port and security ("tls" for port 465)',
    Failure.CERTIFICATE: "the server's certificate is not trusted: check host, or set ca_file",
    Failure.AUTH: f"check username and password, and the AUTH mechanisms that the server offers{_AUTH_PAUSE_NOTE}",
    Failure.TOKEN: FALLBACK,
    Failure.PROTOCOL: "this does not look like a mail server: check host, port and security",
    Failure.REFUSED: "a 4xx reply is temporary (greylisting, an hourly limit); after a 5xx reply check sender and "
    "recipients, or ask the server's administrator",
    Failure.MAILBOX: "check the free disk space and the permissions of the folder, or set [upstream] host",
}

LOCAL = "local mailbox: no upstream is set; the dashboard shows the digests; set [upstream] host to send them"

UNKNOWN = "unknown, never tried by this relay; a running relay checks it at its start and every 15 minutes"

REPLY_ADVICE = {
    Cause.ACCEPTED: "nothing to do",
    Cause.NO_REPLY: "nothing to do: the mail may have been delivered; a repeated mail has the same Message-ID",
    Cause.TEMPORARY: "nothing to do unless it continues: greylisting and short outages are temporary",
    Cause.RATE: "nothing to do unless it continues: the server limits how fast it accepts mail, and the relay retries",
    Cause.TOO_MANY_RECIPIENTS: "nothing to do: the other recipients get the mail in a transaction of their own",
    Cause.SENDING_LIMIT: "the provider's sending limit is used up: nothing is lost, the relay waits; if it happens "
    "often, raise the limit there, or lower [budget]",
    Cause.MAILBOX_FULL: "the mailbox or the server's disk is full: the digest waits; ask its owner to make room",
    Cause.UNKNOWN_RECIPIENT: "check this address in `admins` and the routes",
    Cause.RECIPIENT_RESTRICTED: "this recipient accepts only certain senders: have `sender` allowed there, or change "
    "the address in `admins` and the routes",
    Cause.TOO_LARGE: "raise the server's limit, or lower [digest] max_size",
    Cause.CONTENT: "ask the server's administrator for the reason; `relay outbox list` lists the digest, the dashboard "
    "shows it",
    Cause.MAIL_REFUSED: "the server rejects the sender address: check `sender`, or ask the server's administrator",
    Cause.EHLO_NAME: "the server does not accept the name that the relay gives in EHLO: set upstream.ehlo_name to the "
    "full host name of this machine, or to your domain",
    Cause.SENDER: "the account may not send as this address: set `sender` to the account's own address, or have the "
    "address or its domain confirmed at the provider",
    Cause.CREDENTIALS: "check [upstream] username and password; many providers want an app password, or SMTP AUTH "
    "switched on for this mailbox",
    Cause.SMTP_AUTH_OFF: "SMTP AUTH is switched off for this mailbox or for the organization: in the Microsoft 365 "
    "admin center, Users, Active users, the mailbox, Mail, Manage email apps, tick Authenticated SMTP; or run "
    "Set-CASMailbox -SmtpClientAuthenticationDisabled $false",
    Cause.PASSWORDS_OFF: "the provider accepts no passwords any more: set [upstream.oauth2] (docs/providers.md)",
    Cause.APP_PASSWORD: "the provider wants an app password in place of the account's own one, or [upstream.oauth2] "
    "(docs/providers.md)",
    Cause.ENCRYPTION: 'the server requires encryption: set [upstream] security to "starttls", or to "tls" for port 465',
    Cause.RELAYING: "the server does not relay for this machine: set username and password, or have this machine's "
    "address allowed there",
    Cause.REPUTATION: "the server does not accept mail from this address or domain: check SPF, DKIM and reverse DNS, "
    "or send through your provider's server with username and password",
    Cause.ACCOUNT: "the provider has not activated the account, or has blocked it: sign in there, and do what it asks",
}
"""What to do about a reply, by its cause."""


def advice_on(reply: RecipientReply) -> str:
    """Return what to do about a message that one recipient did not get; `reply` is not an ACCEPTED one."""
    if reply.code:
        return REPLY_ADVICE[reply.cause]
    if reply.step == "RCPT":
        return REPLY_ADVICE[Cause.UNKNOWN_RECIPIENT]
    if not reply.step:
        return "nothing to do: the mail waits for the upstream; a repeated mail has the same Message-ID"
    return REPLY_ADVICE[Cause.NO_REPLY]


_SHOWN_REPLY = re.compile(
    r"(?:\bat (?P<before>[A-Za-z0-9 -]+)|\((?P<login>[A-Z0-9-]+)\)): (?P<code>[45]\d\d) (?P<text>.*)"
    r"|(?P<code2>[45]\d\d) (?P<text2>.*) \(at (?P<after>[^()]+)\)$"
)
"""A reply as `deliver` writes it into a detail, behind its step or before it."""


def advice_on_failure(failure: Failure, detail: str) -> str:
    """Return what to do about a failure of the upstream: by the reply in `detail` where there is one."""
    if failure is Failure.TOKEN:
        return token_advice(detail)
    if failure is Failure.AUTH and _TOKENS_ONLY.search(detail):
        return f"{REPLY_ADVICE[Cause.PASSWORDS_OFF]}{_AUTH_PAUSE_NOTE}"
    shown = _SHOWN_REPLY.search(detail)
    if shown is None or failure not in {Failure.UNWILLING, Failure.AUTH, Failure.REFUSED}:
        return ADVICE[failure]
    step = shown["before"] or shown["after"] or "AUTH"
    cause = cause_of(int(shown["code"] or shown["code2"]), shown["text"] or shown["text2"], step)
    if cause in _SAID_BY_FAILURE:
        return ADVICE[failure]
    if cause is Cause.CREDENTIALS and shown["login"] in _TOKEN_MECHANISMS:
        return f"{LOGIN_REFUSED}{_AUTH_PAUSE_NOTE}"
    return f"{REPLY_ADVICE[cause]}{_AUTH_PAUSE_NOTE if failure is Failure.AUTH else ''}"


_TOKENS_ONLY = re.compile(r"it offers [A-Z0-9 -]*(?:XOAUTH2|OAUTHBEARER)[A-Z0-9 -]*; the relay supports")
"""A server without a login for passwords."""
_TOKEN_MECHANISMS = frozenset({"XOAUTH2", "OAUTHBEARER"})
_SAID_BY_FAILURE = frozenset({Cause.TEMPORARY, Cause.CONTENT, Cause.NO_REPLY})
"""Causes about which the failure itself says more."""


def describe_delays(delayed: Sequence[Delayed], zone: tzinfo) -> str:
    """Return one sentence on the recipients who still wait for a digest: why, what to do, and when the next try comes.

    Returns "" if nobody waits. Times are written in `zone`.
    """
    if not delayed:
        return ""
    first = delayed[0]
    reply = f"{first.code} {first.text}".removeprefix("0 ")
    others = len(delayed) - 1
    advice = REPLY_ADVICE[cause_of(first.code, first.text, "RCPT")] if first.code else ADVICE[Failure.REFUSED]
    waiting = f"{first.recipient} and {others} more have" if others else f"{first.recipient} has"
    return (
        f"{waiting} been waiting for a digest since {moment(first.since, zone)}: {reply}; "
        f"{advice}; next try {moment(first.next_try_at, zone)}"
    )


def describe_bounces(bouncing: Sequence[BouncingRecipient], zone: tzinfo) -> str:
    """Return one sentence on the recipients whose digests come back, "" if there is none."""
    return "; ".join(
        f"mail to {each.recipient} bounces: {each.text}, since {moment(each.since, zone)}" for each in bouncing
    ) + (f"; {REPLY_ADVICE[Cause.UNKNOWN_RECIPIENT]}" if bouncing else "")


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
    sentence = f"{failure}{since} ({state.detail or name}); {advice_on_failure(failure, state.detail)}; next try {when}"
    return UpstreamHealth(ok=False, sentence=sentence)


def _last_success(state: UpstreamState, zone: tzinfo) -> str:
    checked = f"connection and login worked at {moment(state.checked_at, zone)}" if state.checked_at else ""
    if state.last_success_at is None:
        return f"{checked}; no mail sent yet" if checked else UNKNOWN
    refused = f"; {state.detail}; {advice_on_failure(Failure.REFUSED, state.detail)}" if state.detail else ""
    since = f"; {checked}" if state.checked_at and state.checked_at > state.last_success_at else ""
    return f"no failure known, accepted the last mail at {moment(state.last_success_at, zone)}{since}{refused}"


def _next_try(state: UpstreamState, next_message_at: datetime | None, now: datetime, zone: tzinfo) -> str:
    if next_message_at is None:
        if state.next_try_at is None or state.failure is Failure.MAILBOX:
            return "with the next message"
        next_message_at = state.next_try_at  # the next check, without a message
    at = max(next_message_at, state.next_try_at or next_message_at)
    return moment(at, zone) if at > now else "now"
