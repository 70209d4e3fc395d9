"""Whole text bodies, compared with files that were checked by eye, and the subject line.

After an intended change `python -m tests.unit.compose.test_render_text` writes the files again; read the diff.
"""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from relay.compose.message import html_part, text_part
from relay.compose.render import Renderer
from relay.model import Digest, Form, Level, MessageKind, Reason, Situation, Timeline
from tests.support.digests import NOW, Limits, books, digest, entry, report
from tests.support.paths import DATA

FOLDER = DATA / "digests"
MINUTE = timedelta(minutes=1)

CONNECTION_TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/shop/cart.py", line 41, in load_cart
    with db.connect(timeout=5) as connection:
         ~~~~~~~~~~^^^^^^^^^^^
psycopg.OperationalError: connection failed: FATAL:  sorry, too many clients already
"""

CRITICAL = entry(
    Reason.BACK,
    12,
    group_id=57,
    title="OperationalError in load_cart",
    level=Level.CRITICAL,
    rate=2.4,
    total_occurrences=830,
    seen_before=NOW - timedelta(days=11),
    first_seen=NOW - timedelta(days=40),
    timeline=Timeline(since=NOW - 12 * MINUTE, step=MINUTE, counts=(0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 4, 2)),
    sample=report(
        level=Level.CRITICAL,
        location="/srv/shop/shop/cart.py:41",
        module="cart",
        function="load_cart",
        message="Cannot load the cart: the database does not answer",
        trace=CONNECTION_TRACE,
        environment="production",
        host="web-2",
        release="2026.3.1",
        logger="shop.cart",
        situation=Situation.DATABASE_OVERLOADED,
        situation_reason="OperationalError: sorry, too many clients already",
    ),
)
ONGOING = entry(
    Reason.ONGOING,
    87,
    group_id=31,
    title="TimeoutError in fetch_rates",
    mails=9,
    rate=17.4,
    rate_before=40.0,
    total_occurrences=1840,
    first_seen=NOW - 52 * MINUTE,
    episode_since=NOW - 52 * MINUTE,
    timeline=Timeline(
        since=NOW - 52 * MINUTE, step=4 * MINUTE, counts=(400, 390, 300, 170, 120, 110, 90, 60, 55, 45, 40, 33, 27)
    ),
    sample=report(
        form=Form.DEFAULT,
        location="",
        module="",
        function="",
        time="",
        message="could not fetch the rates",
        trace="Traceback (most recent call last):\nTimeoutError: timed out",
    ),
)
ENDED = entry(
    Reason.ENDED,
    212,
    rate=14,
    rate_before=180,
    total_occurrences=7412,
    episode_occurrences=7412,
    peak=310,
    first_seen=NOW - 57 * MINUTE,
    episode_since=NOW - 57 * MINUTE,
    since=NOW - 30 * MINUTE,
    until=NOW - 16 * MINUTE,
    last_seen=NOW - 16 * MINUTE,
    timeline=Timeline(
        since=NOW - 60 * MINUTE, step=5 * MINUTE, counts=(310, 1400, 1350, 1200, 1000, 900, 700, 452, 100, 0, 0, 0)
    ),
)
SPIKE = entry(
    Reason.SPIKE, 640, group_id=12, title="KeyError in session_user", rate=320, rate_before=12.5, total_occurrences=1900
)
AGAIN = entry(
    Reason.AGAIN,
    3,
    group_id=9,
    title="UnicodeDecodeError in import_csv",
    rate=0.2,
    rate_before=0.5,
    total_occurrences=44,
    seen_before=NOW - timedelta(hours=2),
    timeline=None,
    sample=None,
)

CASES: dict[str, Digest] = {
    "new": digest(entry()),
    "news-of-three": digest(entry(), CRITICAL, ONGOING),
    "ended": digest(ENDED, thread="<0123@example.com>"),
    "follow-up": digest(
        SPIKE,
        AGAIN,
        kind=MessageKind.CATCH_UP,
        notes=("The mail server could not be reached from 12:10 to 13:55 CET; 3 digests were merged into this one.",),
        books=books(received=12_405),
    ),
    "one-line-each": digest(
        *(entry(occurrences=900 - n, group_id=n, title=f"ValueError in step_{n}") for n in range(1, 8))
    ),
    "nothing-but-a-note": digest(notes=("2 dead letters could not be delivered: 31 occurrences in 12 mails.",)),
}


def text_of(name: str) -> str:
    limits = replace(Limits(), full_errors=2) if name == "one-line-each" else Limits()
    renderer = Renderer(None, limits, ZoneInfo("Europe/Berlin"), "server-error@example.com")
    return text_part(renderer.digest(CASES[name]).raw)


@pytest.mark.parametrize("name", CASES)
def test_text_is_as_approved(name):
    assert (FOLDER / f"{name}.txt").read_text() == text_of(name)


def test_every_approved_text_belongs_to_a_case():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(CASES)


def test_error_is_shown_in_exactly_the_documented_format():
    documented = (
        "\n\nMessage type:       ERROR\n"
        "Location:           /srv/shop/shop/views.py:118\n"
        "Module:             views\n"
        "Function:           checkout\n"
        "Time:               2026-03-03 14:07:58,123\n"
        "\n"
        "Message:\n"
        "\n"
        "Exception on /checkout [POST]\n"
        "Traceback (most recent call last):\n"
    )

    assert documented in text_of("new")


@pytest.mark.parametrize(
    ("entries", "subject"),
    [
        ((entry(),), "[YourApplication Failed] new: ZeroDivisionError in checkout (1,204×, 301/min ↑)"),
        (
            (entry(), entry(occurrences=3), entry(Reason.ONGOING, 9000)),
            "[YourApplication Failed] 2 new, 1 ongoing: ZeroDivisionError in checkout (1,204×, 301/min ↑)",
        ),
        ((ENDED,), "[YourApplication Failed] ended: ZeroDivisionError in checkout (7,412 in 41 min)"),
        ((entry(occurrences=1),), "[YourApplication Failed] new: ZeroDivisionError in checkout (1×)"),
        (
            (entry(Reason.ONGOING, 50, rate=2, rate_before=9), ENDED),
            "[YourApplication Failed] 1 ongoing, 1 ended: ZeroDivisionError in checkout (50×, 2/min ↓)",
        ),
        (
            (entry(), CRITICAL),
            "[YourApplication Failed] CRITICAL · 1 new, 1 back: OperationalError in load_cart (12×, 2.4/min ↑)",
        ),
        (
            (entry(app="shop"), entry(occurrences=2, app="api"), entry(occurrences=1, app="jobs")),
            "[3 apps] 3 new: shop: ZeroDivisionError in checkout (1,204×, 301/min ↑)",
        ),
        ((), "[Error mail relay] no errors"),
    ],
)
def test_subject_has_reasons_title_count_and_rate(entries, subject):
    renderer = Renderer(None, Limits(), ZoneInfo("UTC"), "server-error@example.com")

    assert renderer.digest(digest(*entries)).subject == subject


def test_subject_of_a_catch_up_digest_says_follow_up():
    renderer = Renderer(None, Limits(), ZoneInfo("UTC"), "server-error@example.com")

    subject = renderer.digest(digest(CRITICAL, kind=MessageKind.CATCH_UP)).subject

    assert subject.startswith(
        "[YourApplication Failed] Follow-up · CRITICAL · back, database overloaded: OperationalError in load_cart"
    )


def test_situation_is_in_the_subject_if_all_errors_share_it():
    renderer = Renderer(None, Limits(), ZoneInfo("UTC"), "server-error@example.com")
    other = entry(sample=report(situation=Situation.NETWORK_DOWN))

    def subject(*entries):
        return renderer.digest(digest(*entries)).subject

    assert "CRITICAL · back, database overloaded: OperationalError in load_cart (" in subject(CRITICAL)
    assert "CRITICAL · 2 back, database overloaded: Oper" in subject(CRITICAL, CRITICAL)
    for mixed in ((CRITICAL, other), (CRITICAL, entry()), (CRITICAL, AGAIN)):
        assert "database" not in subject(*mixed)


def test_situation_is_shown_with_its_reason_in_text_and_html():
    sample = report(situation=Situation.NETWORK_DOWN, situation_reason="URLError: <b>refused</b>")
    raw = Renderer(None, Limits(), ZoneInfo("UTC"), "server-error@example.com").digest(digest(entry(sample=sample))).raw

    assert "\nSituation:          network down (URLError: <b>refused</b>)\n" in text_part(raw)
    assert "network down (URLError: &lt;b&gt;refused&lt;/b&gt;)" in html_part(raw)


def test_subject_that_is_too_long_is_shortened_in_the_middle_and_keeps_the_count():
    entries = [entry(Reason(reason), 10**9, app="a" * 200, title="b" * 120) for reason in Reason for _ in range(3)]
    renderer = Renderer(None, Limits(), ZoneInfo("UTC"), "server-error@example.com")

    subject = renderer.digest(digest(*entries)).subject

    assert len(subject) <= 200
    assert subject.endswith("(1,000,000,000×, 250,000,000/min ↑)")


def test_times_follow_the_configured_zone():
    renderer = Renderer(None, Limits(), ZoneInfo("America/New_York"), "server-error@example.com")

    text = text_part(renderer.digest(digest(entry())).raw)

    assert "Last seen:          2026-03-03 08:08:01 EST\n" in text
    assert "Timeline:           07:56 ▁▁▁▁▁▁▁▁▃█▅▃ 08:08\n" in text


def test_notice_has_its_title_lines_and_kind():
    renderer = Renderer(None, Limits(), ZoneInfo("Europe/Berlin"), "server-error@example.com")

    notice = renderer.notice(
        id="a" * 32,
        recipients=("yourname@example.com",),
        created_at=NOW,
        title="Test mail",
        lines=("It works.", "Truly."),
    )

    assert notice.subject == "[Error mail relay] Test mail"
    assert notice.message_id == f"<{'a' * 32}@example.com>"
    assert b"\r\nX-Error-Mail-Relay: notice\r\n" in notice.raw
    assert text_part(notice.raw).startswith("Test mail\n\nIt works.\n\nTruly.\n\n")


def test_request_and_origin_of_the_sample_are_shown_in_text_and_html():
    sample = report(
        host="web-1",
        release="2026.3",
        process="4711",
        thread="checker",
        request=(("Request", "GET https://shop.example/?q=<b>"), ("User", "42")),
    )
    raw = Renderer(None, Limits(), ZoneInfo("UTC"), "server-error@example.com").digest(digest(entry(sample=sample))).raw

    assert (
        "Host:               web-1\n"
        "Release:            2026.3\n"
        "Process:            4711, thread checker\n"
        "\n"
        "Request:            GET https://shop.example/?q=<b>\n"
        "User:               42\n"
        "\n"
        "Message type:       ERROR\n"
    ) in text_part(raw)
    assert "GET https://shop.example/?q=&lt;b&gt;" in html_part(raw)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        (FOLDER / f"{case}.txt").write_text(text_of(case))
