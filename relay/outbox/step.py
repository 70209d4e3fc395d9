"""Send messages, one at a time, and store each recipient's outcome (ledger → outbox → deliver).

Guarantee: at-least-once, and a repeat is visible. The step claims a message before it tries it. It stores that the
message may be delivered before it sends the final dot. It stores each recipient's outcome before it touches the next
message, and never sends again to a recipient who accepted. Only a crash, a lost reply or a lost claim can send a
message twice, with the same Message-ID. A message that no recipient accepts becomes a dead letter and stays.

The kind of failure decides what waits:

    the upstream fails            all messages pause, no message loses a try; afterwards one message tests the upstream
    a limit, a full mailbox       this message waits, for longer, whatever the code: it is no refusal
    a reply about one message     this message waits, or this recipient; the others go out
    a failure after MAIL          either may be the cause: the upstream pauses, and the message pauses for longer, so
                                  that another message makes the next try
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from traceback import extract_tb

import structlog

from relay.compose.message import shorter
from relay.config import Settings
from relay.deliver import Target
from relay.errors import Interrupted, LeaseLost, LedgerError, RelayError
from relay.failpoint import reach
from relay.ledger import Ledger, Outcome
from relay.model import (
    Attempt,
    Cause,
    Failure,
    Meaning,
    MessageState,
    OutboxMessage,
    RecipientReply,
    UpstreamKey,
    UpstreamState,
    Verdict,
)
from relay.outbox.advice import advice_on
from relay.outbox.retry import (
    AUTH_PAUSE,
    longest_pause,
    next_try_after,
    state_after_failure,
    state_after_success,
    upstream_ready,
)
from relay.outbox.upstream_log import log_upstream

log = structlog.get_logger()

EXTRA_PAUSE = timedelta(seconds=1)
"""How much longer than the upstream a message pauses that may have caused the failure."""
CLOCK_TOLERANCE = timedelta(minutes=1)
"""The clock counts as set back if it is behind its last reading by more than this."""
RECHECK_AFTER = timedelta(minutes=1)
MAX_TEXT = 200
"""Characters of a reply text (see `model.RecipientReply`)."""


class Outbox:
    """The step that empties the outbox, for one worker."""

    def __init__(
        self, ledger: Ledger, target: Target, settings: Settings, worker: str, jitter: Callable[[], float]
    ) -> None:
        """`worker` names this worker, unique among live workers; `jitter` draws a number in -1..1 for each pause."""
        self._ledger = ledger
        self._target = target
        self._retry = settings.upstream.retry_policy
        self._sender = settings.sender_address
        self._worker = worker
        self._upstream_key = UpstreamKey(worker=worker, target=settings.upstream.target)
        self._jitter = jitter
        self._first_try = True
        self.next_step_at: datetime | None = None
        """When the next step has something to do, as far as the last one knows; None if that is not foreseeable."""
        self._last_now: datetime | None = None
        self._recheck_at: datetime | None = None
        self._shortened: dict[str, int] = {}
        """How often a message is shortened for its next try, by id: the server refused it for its size."""
        self._unsaved_outcome: tuple[OutboxMessage, Outcome] | None = None
        self._unsaved_upstream: UpstreamState | None = None

    def step(self, now: datetime) -> bool:
        """Try the oldest due message. Returns False if no message is due or the upstream pauses.

        Takes at most `target.max_duration`; results are dated with the end of the try. Raises LedgerBusy: nothing is
        lost, the next step stores the results first.
        """
        self._save_results(now)
        upstream = self._restart_pauses_if_clock_set_back(self._ledger.upstream(self._upstream_key), now)
        if not (self._first_try or upstream_ready(upstream, now)):
            self.next_step_at = upstream.next_try_at
            return False
        message = self._claim(now)
        if message is None:
            due = self._ledger.next_try_at()
            self.next_step_at = due if due and due > now else None
            return False
        reach("outbox.claimed")
        self._first_try = False  # the first try after a start ignores the pause: the password may be corrected by now
        began = monotonic()
        attempt = self._try(message, now)
        if attempt is None:
            return False
        reach("outbox.delivered")
        self._conclude(message, attempt, upstream, now + timedelta(seconds=int(monotonic() - began)))
        return True

    def _restart_pauses_if_clock_set_back(self, upstream: UpstreamState, now: datetime) -> UpstreamState:
        """End all pauses after the clock was set back: their ends now lie too far in the future.

        Does so again after a minute, for messages that were enqueued meanwhile. Compares only this worker's own
        readings: workers whose clocks differ must not cancel each other's pauses.
        """
        latest = self._last_now or upstream.last_try_at or now
        set_back = now < latest - CLOCK_TOLERANCE
        if set_back:
            log.warning("the clock was set back; retry pauses start again", was=str(latest), now=str(now))
            upstream = replace(upstream, next_try_at=None)
            self._ledger.save_upstream(self._upstream_key, upstream)
        if set_back or (self._recheck_at and now >= self._recheck_at):
            self._ledger.retry_now(now, beyond=now + longest_pause(self._retry))
            self._recheck_at = now + RECHECK_AFTER if set_back else None
        self._last_now = now
        return upstream

    def _claim(self, now: datetime) -> OutboxMessage | None:
        """Claim a message for a little longer than the try can last."""
        return self._ledger.claim_message(self._worker, now, self._target.max_duration * 1.25 + timedelta(seconds=5))

    def _try(self, message: OutboxMessage, now: datetime) -> Attempt | None:
        """Try to deliver it once. Returns None if the try was given up without a result."""
        try:
            return self._target.deliver(
                self._version_to_send(message),
                sender=self._sender,
                recipients=message.recipients,
                before_data=lambda: self._mark_ambiguous(message),
            )
        except LeaseLost:
            log.warning("another worker holds this message now; this worker did not send it", message=message.id)
        except Interrupted:
            self._release(message, now)
        except RelayError:
            self._release(message, now)
            raise
        except Exception as error:  # noqa: BLE001 -- an internal error on one message must not stop the others
            return _internal_error(message, error)
        return None

    def _version_to_send(self, message: OutboxMessage) -> bytes:
        """Return the message, without what the server found too large."""
        raw = message.raw
        for _ in range(self._shortened.get(message.id, 0)):
            raw = shorter(raw) or raw
        return raw

    def _mark_ambiguous(self, message: OutboxMessage) -> None:
        """Store durably that the message may be delivered from here on."""
        self._ledger.mark_ambiguous(message)
        reach("outbox.marked")

    def _release(self, message: OutboxMessage, now: datetime) -> None:
        """Release the claim on an unsent message without counting a try. If that fails, the claim expires."""
        try:
            self._ledger.settle(message, _unchanged(message, now), now)
        except LedgerError as error:
            log.warning(
                "cannot release a message; it waits until its claim expires", message=message.id, why=str(error)
            )

    # --- Results of a try ---------------------------------------------------------------------------------------------

    def _conclude(self, message: OutboxMessage, attempt: Attempt, before: UpstreamState, now: datetime) -> None:
        after = self._upstream_after(before, attempt, now)
        self._unsaved_outcome = (message, self._outcome(message, attempt, after, now))
        self._unsaved_upstream = after
        log_upstream(before, after)
        self._save_results(now)

    def _save_results(self, now: datetime) -> None:
        """Store the results of the last try, the message first. As long as that fails, no other message is touched."""
        if self._unsaved_outcome:
            message, outcome = self._unsaved_outcome
            try:
                _log_outcome(message, outcome, self._ledger.settle(message, outcome, now))
            except LeaseLost:
                log.warning("the try took longer than its claim; another worker may send it again", message=message.id)
            self._unsaved_outcome = None
            reach("outbox.settled")
        if self._unsaved_upstream:
            self._ledger.save_upstream(self._upstream_key, self._unsaved_upstream)
            self._unsaved_upstream = None

    def _upstream_after(self, state: UpstreamState, attempt: Attempt, now: datetime) -> UpstreamState:
        """Return the upstream's state after this attempt."""
        refusal = _first_refusal(attempt.replies)
        if attempt.failure:
            failure, detail = attempt.failure, attempt.detail
        elif missing := next(filter(_may_be_delivered, attempt.replies.values()), None):
            failure, detail = Failure.UNREACHABLE, f"{self._target}: {missing}"
        else:
            works = state_after_success(state, now)
            if any(reply.verdict is Verdict.ACCEPTED for reply in attempt.replies.values()):
                return replace(works, detail=f"{self._target}: not accepted for {refusal}" if refusal else "")
            # The reply is about this message alone: the upstream gets no pause.
            detail = f"{self._target}: it did not accept the last message: {refusal}"
            return replace(works, last_success_at=state.last_success_at, failure=Failure.REFUSED, detail=detail)
        begun = attempt.begun
        return state_after_failure(
            state, failure, detail, begun=begun, retry=self._retry, jitter=self._jitter(), now=now
        )

    def _outcome(self, message: OutboxMessage, attempt: Attempt, upstream: UpstreamState, now: datetime) -> Outcome:
        """Return what the attempt means for the message; `upstream` is the state after it."""
        if attempt.failure and not attempt.begun:
            return _unchanged(message, now)
        if attempt.failure:
            outcome = self._outcome_of_replies(message, _temporary_for_all(message, attempt.detail), now)
            outcome = replace(outcome, ambiguous=message.ambiguous)
            if outcome.next_try_at and attempt.failure is Failure.AUTH:
                outcome = replace(outcome, next_try_at=max(outcome.next_try_at, now + AUTH_PAUSE))
        else:
            outcome = self._outcome_of_replies(message, attempt.replies, now)
        if outcome.next_try_at and upstream.next_try_at:
            outcome = replace(outcome, next_try_at=max(outcome.next_try_at, upstream.next_try_at + EXTRA_PAUSE))
        return outcome

    def _outcome_of_replies(
        self, message: OutboxMessage, replies: Mapping[str, RecipientReply], now: datetime
    ) -> Outcome:
        """Return what the replies mean for each recipient.

        Two cases are tried again at once: a message that is too large, in a shorter version, and recipients who were
        too many for one transaction. The ledger keeps the whole message until a shorter version was accepted, and a
        refusal for its size does not count as long as there is a shorter version.
        """
        sent_raw = self._version_to_send(message)
        too_large = any(reply.too_large for reply in replies.values())
        smaller = shorter(sent_raw) if too_large else None
        sent = {recipient for recipient, reply in replies.items() if reply.verdict is Verdict.ACCEPTED}
        next_tries = {
            recipient: now if _retry_at_once(reply, sent, smaller) else self._next_try(message, reply, now)
            for recipient, reply in replies.items()
            if recipient not in sent
        }
        queued = [recipient for recipient, at in next_tries.items() if at]
        counted = [replies[each] for each in next_tries if not (smaller and replies[each].too_large)]
        if smaller:
            self._shortened[message.id] = self._shortened.get(message.id, 0) + 1
        elif too_large or not queued:
            self._shortened.pop(message.id, None)
        return Outcome(
            sent=frozenset(sent),
            refused=frozenset(next_tries) - frozenset(queued),
            replies=replies,
            next_try_at=min((at for at in next_tries.values() if at), default=None),
            raw=sent_raw if sent and sent_raw != message.raw else None,
            tries=message.tries + bool(counted),
            refusals=message.refusals + any(reply.verdict is Verdict.PERMANENT for reply in counted),
            ambiguous=message.ambiguous or any(_may_be_delivered(replies[each]) for each in queued),
        )

    def _next_try(self, message: OutboxMessage, reply: RecipientReply, now: datetime) -> datetime | None:
        """Return when to try a recipient again, None for never."""
        long = reply.cause.meaning in {Meaning.WAIT_LONG, Meaning.SETTINGS}
        return next_try_after(message, reply.verdict, long=long, retry=self._retry, jitter=self._jitter(), now=now)


def _unchanged(message: OutboxMessage, next_try_at: datetime | None) -> Outcome:
    return Outcome(next_try_at=next_try_at, tries=message.tries, refusals=message.refusals, ambiguous=message.ambiguous)


def _temporary_for_all(message: OutboxMessage, text: str) -> dict[str, RecipientReply]:
    """Return a temporary failure with this text for each recipient: the try ended before the upstream replied."""
    return dict.fromkeys(message.recipients, RecipientReply(verdict=Verdict.TEMPORARY, code=0, text=text[:MAX_TEXT]))


def _internal_error(message: OutboxMessage, error: Exception) -> Attempt:
    """Log an error in the relay's own code; return it as a temporary failure for each recipient.

    Neither the error's text nor the variables of its frames are logged: they may contain the mail.
    """
    place = " > ".join(f"{frame.name}:{frame.lineno}" for frame in extract_tb(error.__traceback__))
    name = type(error).__name__
    log.error("internal error in the relay; the message is tried again", message=message.id, error=name, at=place)
    return Attempt(replies=_temporary_for_all(message, f"internal error in the relay: {name}"))


def _may_be_delivered(reply: RecipientReply) -> bool:
    """Return whether the upstream may have accepted the message although its reply is missing."""
    return reply.verdict is Verdict.TEMPORARY and reply.code == 0 and reply.step != "RCPT"


def _retry_at_once(reply: RecipientReply, sent: Collection[str], smaller: bytes | None) -> bool:
    """Return whether the next try needs no pause: the message is shorter now, or the recipients are fewer.

    For the number of recipients in one transaction see RFC 5321 section 4.5.3.1.10.
    """
    too_many_recipients = reply.code == 452 or reply.cause is Cause.TOO_MANY_RECIPIENTS
    if too_many_recipients and reply.step == "RCPT" and sent and reply.cause is not Cause.MAILBOX_FULL:
        return True
    return smaller is not None and reply.too_large


def _first_refusal(replies: Mapping[str, RecipientReply]) -> str:
    refusals = [f"{address}: {reply}" for address, reply in replies.items() if reply.verdict is not Verdict.ACCEPTED]
    return next(iter(refusals), "")


def _log_outcome(message: OutboxMessage, outcome: Outcome, state: MessageState) -> None:
    """Log one line for each result of the try."""
    logger = log.bind(message=message.id, message_id=message.message_id, route=message.route)
    if outcome.sent:
        logger.info("the upstream accepted the message", recipients=sorted(outcome.sent))
    for recipient, reply in outcome.replies.items():
        if reply.verdict is Verdict.ACCEPTED:
            continue
        if reply.too_large and recipient not in outcome.refused and outcome.tries == message.tries:
            logger.warning("the message is too large; a shorter version is sent", recipient=recipient, reply=str(reply))
            continue
        fields = {"recipient": recipient, "reply": str(reply), "advice": advice_on(reply)}
        if recipient in outcome.refused:
            logger.error("given up for this recipient", **fields, tries=outcome.tries)
        else:
            logger.warning("not accepted; tried again later", **fields, next_try_at=str(outcome.next_try_at))
    if state is MessageState.DEAD:
        logger.error("dead letter: no recipient accepted it; see `relay outbox list`, then `retry` or `drop`")
