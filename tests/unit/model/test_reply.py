"""What the relay makes of the replies of real providers."""

from __future__ import annotations

import time

import pytest

from relay.deliver.replies import Reply, one_text, recipient_reply
from relay.model import Cause, Meaning, Verdict, cause_of
from relay.outbox.advice import REPLY_ADVICE, advice_on
from tests.support import upstream_replies
from tests.support.upstream_replies import ProviderReply

REPLIES = upstream_replies.load()
PROVIDERS = (
    *("Gmail", "Google Workspace relay", "Microsoft 365", "Amazon SES", "SendGrid", "Mailgun", "Postmark", "Mailjet"),
    *("Brevo", "Zoho", "Yandex", "mail.ru", "Naver", "Daum/Kakao", "GMX", "T-Online", "OVH", "Postfix", "Exim"),
    "Exchange",
)


@pytest.mark.parametrize("each", REPLIES, ids=[f"{number} {each.provider}" for number, each in enumerate(REPLIES)])
def test_reply_of_a_provider_has_its_verdict_and_advice(each: ProviderReply):
    stored = recipient_reply(Reply(each.code, each.text), each.step)

    assert (stored.cause, stored.cause.meaning) == (each.cause, each.verdict)
    assert advice_on(stored) == REPLY_ADVICE[Cause(each.cause)]
    permanent = stored.cause.meaning in {Meaning.RECIPIENT, Meaning.MESSAGE}
    assert (stored.verdict is Verdict.PERMANENT) == permanent
    assert (stored.verdict is Verdict.ACCEPTED) == (each.verdict == "accepted")


def test_at_least_120_replies_of_the_named_providers_are_known():
    assert len({each.raw for each in REPLIES}) >= 120
    assert {each.provider for each in REPLIES} >= set(PROVIDERS)


def test_page_shows_every_reply_with_verdict_and_advice():
    assert upstream_replies.PAGE.read_text("utf-8") == upstream_replies.page()


def test_every_cause_has_advice():
    assert set(REPLY_ADVICE) == set(Cause)


@pytest.mark.parametrize("code", [450, 452, 550, 552, 554])
@pytest.mark.parametrize(
    "text",
    [
        "quota exceeded",
        "5.7.1 quota exceeded",
        "5.2.0 You have exceeded your daily sending limit",
        "Message limit per hour reached",
        "5.7.0 too many messages today, try again tomorrow",
        "5.2.2 mailbox full",
        "x Message would take you over your relay quota of 500",
        "The user has exceeded the storage quota",
        "5.2.1 mailbox is over quota",
        "rate limit exceeded",
        "5.7.1 Throttled: too many requests",
    ],
)
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "the end of DATA"])
def test_limit_or_full_mailbox_is_never_a_refusal(code, text, step):
    assert recipient_reply(Reply(code, text), step).verdict is Verdict.TEMPORARY


@pytest.mark.parametrize(
    ("reply", "too_large"),
    [
        ("552 5.3.4 no", True),
        ("550 5.2.3 no", True),
        ("552 Message size exceeds fixed limit", True),
        ("552 message too big", True),
        ("552 no", False),
        ("552 5.7.0 blocked: message size", False),
        ("552 5.2.2 mailbox size limit exceeded", False),
        ("552 Mailbox size limit exceeded", False),
        ("554 message too large", False),
        ("452 message too large", False),
    ],
)
def test_only_its_own_codes_or_a_552_about_size_mean_too_large(reply, too_large):
    code, _, text = reply.partition(" ")

    assert recipient_reply(Reply(int(code), text), "the end of DATA").too_large is too_large


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("4.7.0 Try again later, closing connection. (EHLO) x - gsmtp", "EHLO"),
        ("5.5.2 <web>: Helo command rejected: need fully-qualified hostname", "RCPT"),
        ("HELO/EHLO name rejected", "the end of DATA"),
        ("5.5.4 Invalid domain name", "EHLO"),
    ],
)
def test_refusal_of_the_name_in_ehlo_is_recognized_at_every_step(text, step):
    assert "upstream.ehlo_name" in REPLY_ADVICE[cause_of(501, text, step)]


def test_lines_of_a_reply_are_joined_without_repeated_codes():
    lines = "5.4.5 Daily limit. For more\n5.4.5 information go to\n5.4.5  https://x\n5.4.5 information go to"

    assert one_text(lines) == "5.4.5 Daily limit. For more information go to https://x"
    assert one_text("No such user\nNo such user") == "No such user"
    assert one_text("") == ""


@pytest.mark.parametrize("unit", ["5.7.1 ", "mailbox ", "sender ", "limit ", "a", "account blocked ", "exceed "])
def test_long_reply_costs_little_time(unit):
    began = time.process_time()
    for step in ("MAIL", "RCPT"):
        cause_of(550, (unit * 200)[:200], step)

    assert time.process_time() - began < 0.1
