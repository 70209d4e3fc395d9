"""Sends letters, one at a time, and keeps track of who got what (ledger → outbox → deliver).

Guarantee: at least once, and visibly. A letter is claimed before it is tried; that it may have been taken is written
down before its final dot; each recipient's outcome is written down before the next letter is touched, and who was
served is not served again. Only a crash, a lost reply or a lost claim can make a letter come twice, with the same
Message-ID. What nobody takes becomes a dead letter and stays.

Whose fault it is decides who waits. Trouble with the upstream pauses all letters and costs none of them a try; then
one letter at a time finds out whether it is over. Words about a letter or a recipient are that letter's, which then
waits alone. Trouble in the middle of a letter's transaction may be either: the upstream gets its pause, and the letter
one that is longer, so that the next one to find out is another.
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
from relay.model import Attempt, Failure, MessageState, OutboxMessage, RecipientReply, UpstreamState, Verdict
from relay.outbox.advice import ADVICE, advice_on
from relay.outbox.retry import AUTH_PAUSE, after_answer, after_success, after_trouble, longest_pause, upstream_ready

log = structlog.get_logger()

BEHIND = timedelta(seconds=1)
"""How long after the upstream's pause a letter waits that may have been the cause of it."""
CLOCK_STEP = timedelta(minutes=1)
"""By how much a clock must have gone back for pauses to begin anew."""
LOOK_AGAIN = timedelta(minutes=1)
MAX_TEXT = 200
"""Characters of an answer (see `model.Answer`)."""


class Outbox:
    """The step that empties the outbox, for one worker."""

    def __init__(
        self, ledger: Ledger, target: Target, settings: Settings, worker: str, jitter: Callable[[], float]
    ) -> None:
        """`worker` names the worker, no two live ones alike; `jitter` draws a number in -1..1 for each pause."""
        self._ledger = ledger
        self._target = target
        self._retry = settings.upstream.retry_policy
        self._sender = settings.sender_address
        self._worker = worker
        self._jitter = jitter
        self._fresh = True
        self._latest: datetime | None = None
        self._look_again_at: datetime | None = None
        self._outcome: tuple[OutboxMessage, Outcome] | None = None
        self._learnt: UpstreamState | None = None

    def step(self, now: datetime) -> bool:
        """Try the oldest letter that is due; False where there is none, or the upstream has to be left alone.

        Takes up to `target.longest`; what is written afterwards is dated with the end of the try. Raises LedgerBusy:
        nothing is lost, the next step goes on with it.
        """
        self._write(now)
        upstream = self._heed_clock(self._ledger.upstream(), now)
        if not (self._fresh or upstream_ready(upstream, now)):
            return False
        letter = self._claim(now)
        if letter is None:
            return False
        reach("outbox.claimed")
        self._fresh = False  # one try after a start needs no pause: whoever put the password right need not wait
        began = monotonic()
        attempt = self._try(letter, now)
        if attempt is None:
            return False
        reach("outbox.delivered")
        self._conclude(letter, attempt, upstream, now + timedelta(seconds=int(monotonic() - began)))
        return True

    def _heed_clock(self, upstream: UpstreamState, now: datetime) -> UpstreamState:
        """Where the clock was set back, let nothing wait for a moment that was meant to be near; else silence follows.

        Looks again after a minute, at letters that were being made meanwhile. It is this worker's own clock that is
        watched: workers whose clocks differ must not take each other's pauses for errors.
        """
        latest = self._latest or upstream.last_try_at or now
        back = now < latest - CLOCK_STEP
        if back:
            log.warning("the clock was set back; pauses begin anew", was=str(latest), now=str(now))
            upstream = replace(upstream, next_try_at=None)
            self._ledger.save_upstream(upstream)
        if back or (self._look_again_at and now >= self._look_again_at):
            self._ledger.retry_now(now, beyond=now + longest_pause(self._retry))
            self._look_again_at = now + LOOK_AGAIN if back else None
        self._latest = now
        return upstream

    def _claim(self, now: datetime) -> OutboxMessage | None:
        """Claim a letter for a little longer than the try can last."""
        return self._ledger.claim_message(self._worker, now, self._target.longest * 1.25 + timedelta(seconds=5))

    def _try(self, letter: OutboxMessage, now: datetime) -> Attempt | None:
        """Try it once; None where it was left undone."""
        try:
            return self._target.deliver(
                letter.raw,
                sender=self._sender,
                recipients=letter.recipients,
                before_data=lambda: self._mark(letter),
            )
        except LeaseLost:
            log.warning("another worker has taken this letter over; it was not sent from here", letter=letter.id)
        except Interrupted:
            self._let_go(letter, now)
        except RelayError:
            self._let_go(letter, now)
            raise
        except Exception as error:  # noqa: BLE001 -- one letter must not stop the others, whatever is wrong with us
            return _faulted(letter, error)
        return None

    def _mark(self, letter: OutboxMessage) -> None:
        """Note, durably, that the letter may be taken from here on."""
        self._ledger.mark_ambiguous(letter)
        reach("outbox.marked")

    def _let_go(self, letter: OutboxMessage, now: datetime) -> None:
        """Give an unsent letter back as it was; where even that fails, its claim runs out by itself."""
        try:
            self._ledger.settle(letter, _untouched(letter, now), now)
        except LedgerError as error:
            log.warning(
                "a letter could not be given back and waits for its claim to end", letter=letter.id, why=str(error)
            )

    # --- What came of it ----------------------------------------------------------------------------------------------

    def _conclude(self, letter: OutboxMessage, attempt: Attempt, before: UpstreamState, now: datetime) -> None:
        after = self._judge(before, attempt, now)
        self._outcome, self._learnt = (letter, self._weigh(letter, attempt, after, now)), after
        _tell_upstream(before, after)
        self._write(now)

    def _write(self, now: datetime) -> None:
        """Write down what came of the last try, the letter first; while that fails, no other letter is touched."""
        if self._outcome:
            letter, outcome = self._outcome
            try:
                _tell_letter(letter, outcome, self._ledger.settle(letter, outcome, now))
            except LeaseLost:
                log.warning("a letter took longer than its claim; another worker may send it again", letter=letter.id)
            self._outcome = None
            reach("outbox.settled")
        if self._learnt:
            self._ledger.save_upstream(self._learnt)
            self._learnt = None

    def _judge(self, state: UpstreamState, attempt: Attempt, now: datetime) -> UpstreamState:
        """What is known of the upstream now."""
        refusal = _first_refusal(attempt.replies)
        if attempt.failure:
            trouble, detail = attempt.failure, attempt.detail
        elif word := next(filter(_is_open, attempt.replies.values()), None):
            trouble, detail = Failure.UNREACHABLE, f"{self._target}: {word}"
        else:
            works = after_success(state, now)
            if any(answer.verdict is Verdict.ACCEPTED for answer in attempt.replies.values()):
                return replace(works, detail=f"{self._target}: not for {refusal}" if refusal else "")
            note = f"{self._target}: it did not take the last letter: {refusal}"  # no pause: this is about the letter
            return replace(works, last_success_at=state.last_success_at, failure=Failure.REFUSED, detail=note)
        begun = attempt.begun
        return after_trouble(state, trouble, detail, begun=begun, retry=self._retry, jitter=self._jitter(), now=now)

    def _weigh(self, letter: OutboxMessage, attempt: Attempt, upstream: UpstreamState, now: datetime) -> Outcome:
        """What the try means for the letter."""
        if attempt.failure and not attempt.begun:
            return _untouched(letter, now)
        if attempt.failure:
            outcome = self._settled(letter, _all_later(letter, attempt.detail), now)
            outcome = replace(outcome, ambiguous=letter.ambiguous)
            if outcome.next_try_at and attempt.failure is Failure.AUTH:
                outcome = replace(outcome, next_try_at=max(outcome.next_try_at, now + AUTH_PAUSE))
        else:
            outcome = self._settled(letter, attempt.replies, now)
        if outcome.next_try_at and upstream.next_try_at:
            outcome = replace(outcome, next_try_at=max(outcome.next_try_at, upstream.next_try_at + BEHIND))
        return outcome

    def _settled(self, letter: OutboxMessage, answers: Mapping[str, RecipientReply], now: datetime) -> Outcome:
        """What words about the letter mean for each recipient. What is too large is tried at once with less in it, and
        so are those who were too many for one transaction.
        """
        smaller = shorter(letter.raw) if any(answer.too_large for answer in answers.values()) else None
        sent = {recipient for recipient, answer in answers.items() if answer.verdict is Verdict.ACCEPTED}
        again = {
            recipient: now if _at_once(answer, sent, smaller) else self._again(letter, answer.verdict, now)
            for recipient, answer in answers.items()
            if recipient not in sent
        }
        queued = [recipient for recipient, moment in again.items() if moment]
        return Outcome(
            sent=frozenset(sent),
            refused=frozenset(again) - frozenset(queued),
            replies=answers,
            next_try_at=min((moment for moment in again.values() if moment), default=None),
            raw=smaller,
            tries=letter.tries + bool(again),
            refusals=letter.refusals + any(answer.verdict is Verdict.PERMANENT for answer in answers.values()),
            ambiguous=letter.ambiguous or any(_is_open(answers[each]) for each in queued),
        )

    def _again(self, letter: OutboxMessage, verdict: Verdict, now: datetime) -> datetime | None:
        """When a recipient is tried again, None for never."""
        return after_answer(letter, verdict, retry=self._retry, jitter=self._jitter(), now=now)


def _untouched(letter: OutboxMessage, next_try_at: datetime | None) -> Outcome:
    return Outcome(next_try_at=next_try_at, tries=letter.tries, refusals=letter.refusals, ambiguous=letter.ambiguous)


def _all_later(letter: OutboxMessage, words: str) -> dict[str, RecipientReply]:
    """What a try that broke off means for each recipient."""
    return dict.fromkeys(letter.recipients, RecipientReply(verdict=Verdict.TEMPORARY, code=0, text=words[:MAX_TEXT]))


def _faulted(letter: OutboxMessage, error: Exception) -> Attempt:
    """What an error of our own means. Neither its text nor its frames' variables are told: they may hold the mail."""
    place = " > ".join(f"{frame.name}:{frame.lineno}" for frame in extract_tb(error.__traceback__))
    name = type(error).__name__
    log.error("an error in the relay itself; the letter is tried again", letter=letter.id, error=name, at=place)
    return Attempt(replies=_all_later(letter, f"an error in the relay itself: {name}"))


def _is_open(answer: RecipientReply) -> bool:
    """Whether the upstream may have taken the letter without our learning of it."""
    return answer.verdict is Verdict.TEMPORARY and answer.code == 0 and answer.step != "RCPT"


def _at_once(answer: RecipientReply, sent: Collection[str], smaller: bytes | None) -> bool:
    """Whether the next try need not wait: there is less in it, or fewer are asked for (RFC 5321 section 4.5.3.1.10)."""
    one_too_many = answer.code == 452 and answer.step == "RCPT" and bool(sent)
    return one_too_many or (smaller is not None and answer.too_large)


def _first_refusal(answers: Mapping[str, RecipientReply]) -> str:
    refusals = [f"{who}: {answer}" for who, answer in answers.items() if answer.verdict is not Verdict.ACCEPTED]
    return next(iter(refusals), "")


def _tell_letter(letter: OutboxMessage, outcome: Outcome, state: MessageState) -> None:
    """One line for the log on each thing that happened to the letter."""
    about = log.bind(letter=letter.id, message_id=letter.message_id, route=letter.route)
    if outcome.sent:
        about.info("the letter was taken", recipients=sorted(outcome.sent))
    for recipient, answer in outcome.replies.items():
        if answer.verdict is Verdict.ACCEPTED:
            continue
        if outcome.raw and answer.too_large:
            about.warning("too large; it is sent again with less in it", recipient=recipient, reply=str(answer))
            continue
        said = {"recipient": recipient, "reply": str(answer), "advice": advice_on(answer)}
        if recipient in outcome.refused:
            about.error("given up for this recipient", **said, tries=outcome.tries)
        else:
            about.warning("not taken; it is tried again", **said, next_try_at=str(outcome.next_try_at))
    if state is MessageState.DEAD:
        about.error("a dead letter: nobody took it; see `relay outbox list`, then `retry` or `drop`")


def _tell_upstream(before: UpstreamState, after: UpstreamState) -> None:
    """One line for the log on what was learnt of the upstream."""
    if after.failures and after.failure:
        log.warning(
            "the upstream is in trouble; letters wait",
            trouble=after.failure.value,
            detail=after.detail,
            advice=ADVICE[after.failure],
            failures=after.failures,
            next_try_at=str(after.next_try_at),
        )
    elif before.failures:
        log.info("the upstream works again", down_since=str(before.failing_since), failures=before.failures)
