"""What recipients get while the upstream is down, a recipient is unreachable or a budget is used up."""

from relay.cli.plan import route_queues
from relay.deliver import open_target
from relay.model import Failure, Level, MessageState
from relay.outbox.holds import budget_holds, describe_holds
from relay.outbox.step import Outbox
from relay.schedule.group import mute
from relay.schedule.plan import plan
from tests.support.story_world import ANN, BOB
from tests.support.timetable import at, clock
from tests.support.upstream import Upstream


def test_hundred_thousand_mails_make_four_digests_with_exact_counts_and_balanced_books(make_world):
    world = make_world()
    world.flood(100_000, "0:00", "0:10", every=5)

    assert world.until("2:00") == {
        ANN: [
            "0:00:10 new boom 2500",
            "0:05:10 ongoing boom 50000",
            "0:15:10 ongoing boom 47500",
            "0:24:55 ended boom 0",
        ]
    }
    assert world.reported[ANN] == {"boom": 100_000}
    assert (world.books.received, world.books.reported, world.books.pending) == (100_000, 100_000, 0)
    assert world.books.balanced
    assert "100,000 in 10 min, peak 10,000/min" in world.inboxes[ANN][-1].text


def test_footer_has_the_books_at_the_time_of_enqueueing(make_world):
    """Its own mails are pending, the mails of earlier digests are reported, and the sum is the number received."""
    world = make_world()
    world.mail("0:00", count=30)
    world.mail("0:02", count=12)
    world.until("0:10")

    assert "42 received = 30 reported + 12 pending" in world.inboxes[ANN][1].text


def test_upstream_down_for_a_day_delays_one_enqueued_digest_and_one_for_all_later_mails(make_world):
    world = make_world()
    world.mail("0:00", "boom", 3)
    world.until("0:00:05")
    world.upstream.down = True
    for hour in range(24):
        world.mail(f"{hour}:07", "boom", 60)
        world.mail(f"{hour}:07", "other", 25)

    assert world.until("24:00") == {}
    assert [message.state for message in world.ledger.messages()] == [MessageState.OPEN]

    world.upstream.down = False
    inbox = world.until("26:00")[ANN]

    assert inbox == ["24:01:10 new boom 3", "24:01:11 ended boom 1440, new other 600"]
    assert world.books.reported == 2043
    assert world.books.balanced
    assert "could not be used" not in world.inboxes[ANN][0].text
    assert "could not be used from 2026-03-02 00:00 to 00:01." in world.inboxes[ANN][1].text


def test_administrator_who_asks_for_a_try_need_not_wait_for_the_pause(make_world):
    """The upstream was down for three hours, so the pauses are half an hour long by now."""
    world = make_world()
    world.upstream.down = True
    world.mail("0:00", "boom", 3)
    world.until("3:00")
    world.upstream.down = False
    assert world.until("3:01") == {}

    assert world.ledger.try_now(world.now) == 1

    assert world.until("3:02") == {ANN: ["3:01:00 new boom 3"]}
    assert world.books.balanced


def test_real_upstream_down_for_a_day_of_storms_gets_few_tries_and_then_two_mails_per_route(make_world):
    """One digest of each route was enqueued before the outage; all later mails are one more digest per route."""
    with Upstream() as server:
        server.say("GREETING", "421 4.3.2 shut down")
        through = {"host": server.host, "port": server.port, "security": "none", "timeout": "60s"}
        world = make_world(route=[{"name": "night", "recipients": [BOB]}], upstream=through)
        world.outbox = Outbox(world.ledger, open_target(world.settings), world.settings, "one", lambda: 0.0)
        for number in range(3):
            world.flood(40_000, "0:00", "24:00", f"error {number}", every=3600)
        for hour in range(24):
            world.mail(f"{hour}:03", "batch", 10, route="night")
        world.until("24:00")
        connections, state = server.connections, world.ledger.upstream(world.upstream_key)
        messages = world.ledger.messages()
        server.reset()
        world.until("25:00")
        mails = server.mails

    assert 48 <= connections <= 60, "retries after 1, 2, 4, 8, 16 min, then every half hour"
    assert (len(messages), {message.tries for message in messages}) == (2, {0})
    assert (state.failure, state.failures) == (Failure.UNWILLING, connections)
    assert at("0:00:10") <= state.failing_since <= at("0:01")
    received = {recipient: [mail for mail in mails if mail.recipients == (recipient,)] for recipient in (ANN, BOB)}
    assert [len(received[who]) for who in (ANN, BOB)] == [2, 2]
    assert all(len(mail.raw) <= 90_000 for mail in mails)
    assert (world.books.reported, world.books.pending) == (120_240, 0)
    assert world.books.balanced


def test_daily_limit_of_the_upstream_ends_with_one_catch_up_digest_and_no_dead_letter(make_world):
    """Gmail refuses everything for a day with 550 5.4.5, which says "permanent"."""
    limit = (
        b"550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\r\n"
        b"550 5.4.5 sending limits go to https://support.google.com/a/answer/166852 x - gsmtp\r\n"
    )
    with Upstream() as server:
        server.say("DOT", limit)
        through = {"host": server.host, "port": server.port, "security": "none", "timeout": "60s"}
        world = make_world(upstream=through)
        world.outbox = Outbox(world.ledger, open_target(world.settings), world.settings, "one", lambda: 0.0)
        for hour in range(24):
            world.mail(f"{hour}:07", "boom", 60)
            world.mail(f"{hour}:37", f"error {hour}", 5)
        world.until("24:00")
        messages, connections = world.ledger.messages(), server.connections
        server.reset()
        world.until("26:00")
        kinds = [message.kind for message in world.ledger.messages() if message.state is MessageState.SENT]
        mails = server.mails

    assert connections <= 49
    assert {message.state for message in messages} == {MessageState.OPEN}
    assert {message.refusals for message in messages} == {0}
    assert len(mails) == len(kinds) == 2, "the digest that was refused, and one for all later mails"
    assert world.ledger.tally().messages_dead == 0
    assert (world.books.reported, world.books.pending, world.books.undelivered) == (24 * 65, 0, 0)
    assert world.books.balanced


def test_greylisted_recipient_gets_a_catch_up_digest_and_does_not_delay_the_other(make_world):
    """Ann is greylisted for two hours. Bob gets his digests in time, and she gets all of them in one."""
    world = make_world(admins=(ANN, BOB))
    world.upstream.greylists = {ANN}
    world.mail("0:00", "boom", 2)
    world.mail("0:10", "other", 5)
    world.mail("0:20", "third")
    world.mail("1:00", "boom", 4)

    assert world.until("2:00") == {
        BOB: [
            "0:00:10 new boom 2",
            "0:10:10 new other 5",
            "0:20:10 new third 1, ended boom 0",
            "1:00:10 again boom 4, ended other 0, ended third 0",
        ]
    }
    assert world.books.pending == 12, "Ann has none of them yet"

    world.upstream.greylists = set()
    inbox = world.until("4:00")

    first, catch_up = inbox[ANN]
    assert first.endswith(" new boom 2")
    assert catch_up.endswith(" +new other 5, again boom 4, new third 1")
    assert world.reported[ANN] == world.reported[BOB] == {"boom": 6, "other": 5, "third": 1}
    assert BOB not in inbox
    assert (world.books.reported, world.books.pending) == (12, 0)


def test_recipient_that_has_caught_up_gets_the_same_digests_as_the_others(make_world):
    world = make_world(admins=(ANN, BOB))
    world.upstream.greylists = {ANN}
    world.mail("0:00", "boom", 2)
    world.mail("0:10", "other", 5)
    world.until("0:30")
    world.upstream.greylists = set()
    world.until("1:00:00")
    before = len(world.inboxes[ANN])
    world.mail("1:00", "third")

    inbox = world.until("2:00")

    assert before == 2
    assert inbox[ANN] == inbox[BOB]


def test_exhausted_budget_delays_reports_and_loses_nothing(make_world):
    """Two mails an hour and bursts of three, of which one is reserved: thirty errors, one every two minutes."""
    world = make_world(budget={"per_hour": 2, "burst": 3}, timing={"interval": "1s"})
    for number in range(30):
        world.mail(f"0:{2 * number}", f"error {number}", count=number + 1)

    inbox = world.until("5:00")[ANN]

    assert [line.split()[0] for line in inbox] == ["0:00:10", "0:02:10", "0:30:10", "1:00:10"]
    assert sum(world.reported[ANN].values()) == sum(range(1, 31))
    assert world.books.balanced
    second, third = world.inboxes[ANN][1].text, world.inboxes[ANN][2].text
    assert "This mail used up the budget. The next mail can go out at 00:30," in second
    assert "was used up at 00:04" in third


def test_plan_comes_true_while_the_budget_holds_mail_back(make_world):
    """Thirty errors, one every two minutes, at two mails an hour. Then no more mail comes."""
    world = make_world(
        admins=(ANN, BOB), budget={"per_hour": 2, "burst": 3}, route=[{"name": "n", "recipients": [BOB]}]
    )
    for number in range(30):
        world.mail(f"0:{2 * number}", f"error {number}", count=number + 1, route="n" if number % 7 == 0 else "admins")
    world.until("0:59:00")
    queues = list(route_queues(world.ledger, world.settings, world.now))
    planned = plan(queues, now=world.now, limits=world.settings.budget, budgets=world.ledger.all_budgets())
    expected = {(found.group.title, clock(found.at)) for found in planned if found.at}

    inbox = [line for lines in world.until("6:00").values() for line in lines]

    come_true = {(title, line.split()[0]) for line in inbox for title, _ in expected if f" {title} " in line}
    assert len(expected) >= 10
    assert expected <= come_true


def test_status_says_who_waits_for_the_budget_until_when_and_for_how_many_errors(make_world):
    world = make_world(
        admins=(ANN, BOB), budget={"per_hour": 2, "burst": 3}, route=[{"name": "n", "recipients": [BOB]}]
    )
    for number in range(3):
        world.mail(f"0:{number}", f"batch {number}", route="n")
    world.mail("0:10", "boom")
    world.mail("0:11", "other")
    world.until("0:12")

    found = budget_holds(world.ledger, world.settings, world.now)

    assert [(hold.recipient, hold.errors, clock(hold.until)) for hold in found] == [(BOB, 3, "0:30:10")]
    assert describe_holds(found, world.settings.budget) == (
        "bob@example.com gets the next mail 2026-03-02 00:30:10 UTC (3 errors waiting since 2026-03-02 00:02:10 UTC). "
        "At most 3 mails at once, then 2 an hour, and 300 a day ([budget])"
    )
    world.until("2:00")
    assert budget_holds(world.ledger, world.settings, world.now) == []


def mute_group(world, title, until=None, above=None):
    """Mute an error as an administrator does."""
    (group,) = world.ledger.groups(text=title)
    timing = world.settings.timing
    world.ledger.revise(group.id, lambda group: mute(group, until, timing, now=world.now, above=above))


def test_end_of_a_mute_is_said_in_the_next_digest_and_in_the_closing_total(make_world):
    """No mail is sent when the mute ends, at 2:00. The digest about another error says so, and so do the totals."""
    world = make_world()
    world.flood(300, "0:00", "0:05", "boom", every=5)
    world.until("0:05:11")
    mute_group(world, "boom", at("2:00"))
    world.flood(90, "0:10", "0:40", "boom", every=20)
    assert world.until("4:00") == {}
    world.mail("5:00", "other")
    world.mail("5:10", "third")

    assert world.until("6:00") == {ANN: ["5:00:10 new other 1, ended boom 0", "5:10:10 new third 1"]}
    said, after = world.inboxes[ANN][-2].text, world.inboxes[ANN][-1].text
    assert "* The mute of boom (ID 1) ended at 02:00: 90 occurrences muted since 00:05." in said
    assert "ended: 390 in 40 min, peak 60/min" in said
    assert "Muted: 90 of 390 Rate:" in said
    assert "The mute of" not in after, "it is said once"
    assert world.books.balanced


def test_mute_that_muted_nothing_is_over_without_a_word_of_mails(make_world):
    world = make_world()
    world.mail("0:00", "boom")
    world.until("0:01")
    mute_group(world, "boom", at("1:00"))
    world.mail("2:00", "other")
    world.until("3:00")

    assert "The mute of boom (ID 1) ended at 01:00: nothing came since 00:01." in world.inboxes[ANN][-1].text


def test_mute_ends_when_the_error_exceeds_its_rate(make_world):
    """Forty an hour for three hours, then fifty in some minutes: it is reported within seconds, and says why."""
    world = make_world()
    world.mail("0:00", "boom")
    world.until("0:01")
    mute_group(world, "boom", above=50)
    world.flood(120, "1:00", "4:00", "boom", every=90)
    assert world.until("4:00") == {}
    world.flood(60, "4:00", "4:10", "boom", every=10)

    inbox = world.until("4:10")[ANN]
    first = world.inboxes[ANN][1].text

    assert inbox[0].startswith("4:02:")
    assert " spike boom " in inbox[0]
    assert "spike: more than 50 an hour, so its mute is over" in first
    assert "The mute of boom (ID 1) ended at 04:02, because it exceeded 50 an hour:" in first
    assert world.reported[ANN]["boom"] + world.books.muted == 181 - world.books.pending
    assert world.books.balanced


def test_critical_error_gets_the_last_token_of_the_budget(make_world):
    world = make_world(budget={"per_hour": 1, "burst": 3})
    for minute in (0, 10, 20, 30):
        world.mail(f"0:{minute}", f"error {minute}")
    world.mail("0:31", "melting", level=Level.CRITICAL)
    world.mail("0:32", "melting too", level=Level.CRITICAL)

    inbox = world.until("0:55")[ANN]

    assert [line.split()[0] for line in inbox] == ["0:00:10", "0:10:10", "0:31:10"]
    assert "new melting 1, new error 20 1, new error 30 1" in inbox[2]
    assert world.reported[ANN]["melting too"] == 0, "never more than the budget"
    world.until("6:00")
    assert world.reported[ANN]["melting too"] == 1


def test_recipient_without_budget_gets_one_catch_up_digest(make_world):
    """Ann is on two routes: the mails of the other route use up her budget and do not delay Bob."""
    world = make_world(
        admins=(ANN, BOB),
        route=[{"name": "night", "recipients": [ANN]}],
        budget={"per_hour": 1, "burst": 3},
    )
    world.mail("0:00", "batch", route="night")
    world.mail("0:10", "job", route="night")
    world.mail("0:20", "boom", 7)
    world.mail("0:30", "other", 2)

    inbox = world.until("6:00")

    assert [line.split(" ", 1)[1] for line in inbox[BOB]] == ["new boom 7", "new other 2"]
    assert inbox[ANN][2].endswith("+new boom 7, new other 2")
    assert len(inbox[ANN]) == 3
    assert world.books.balanced
    assert world.books.pending == 0


def test_flood_of_five_hundred_new_errors_makes_few_and_short_mails(make_world):
    world = make_world()
    for number in range(500):
        minute, second = divmod(number // 10 * 18, 60)
        world.mail(f"0:{minute}:{second}", f"error {number}", count=number % 7 + 1)

    inbox = world.until("1:00")[ANN]

    assert [line.split()[0] for line in inbox] == [
        *("0:00:10", "0:00:28", "0:00:58", "0:01:58", "0:03:58"),
        *("0:08:58", "0:13:58", "0:18:58"),
    ]
    assert sum(world.reported[ANN].values()) == sum(number % 7 + 1 for number in range(500))
    assert max(len(received.mail.as_bytes()) for received in world.inboxes[ANN]) <= 90_000
    assert world.books.balanced


DEPLOY = ("0:00:00", "0:00:05", "0:00:20", "0:00:45", "0:01:10", "0:01:40", "0:02:20", "0:03:00", "0:03:50")


def test_deploy_that_breaks_nine_things_is_reported_within_the_budget(make_world):
    """The default budget allows the growing gaps. No note says that it is used up, since it delays nothing."""
    world = make_world()
    for number, time in enumerate(DEPLOY):
        world.mail(time, f"error {number}")

    inbox = world.until("0:30")[ANN]

    assert [line.split()[0] for line in inbox] == ["0:00:10", "0:00:30", "0:01:00", "0:02:00", "0:04:00"]
    assert not any("budget" in received.text for received in world.inboxes[ANN])
    assert world.books.balanced


def test_budget_holds_while_news_keeps_coming(make_world):
    """Three mails at once, of which one is reserved, and six an hour: the third digest has to wait for the budget."""
    world = make_world(budget={"per_hour": 6, "burst": 3})
    for number, time in enumerate(DEPLOY):
        world.mail(time, f"error {number}")

    inbox = world.until("1:00")[ANN]

    assert [line.split()[0] for line in inbox] == ["0:00:10", "0:00:30", "0:10:10"]
    assert "The next mail can go out at 00:10," in world.inboxes[ANN][1].text
    assert sum(world.reported[ANN].values()) == 9


def test_gap_between_news_survives_a_restart_and_another_worker(make_world):
    """The state of the gap is in the ledger: a worker that takes over neither waits longer nor reports sooner."""
    world = make_world()
    for number, time in enumerate(DEPLOY):
        world.mail(time, f"error {number}")
    world.until("0:01:05")
    world.ledger.forget_worker("one")
    world.digests = world.worker("two")

    assert [line.split()[0] for line in world.until("0:30")[ANN]] == ["0:02:00", "0:04:00"]


def test_next_digest_has_the_totals_of_a_dead_letter(make_world):
    """Refused permanently, three times within an hour. The digest of the later mails gets through and says so."""
    world = make_world()
    world.upstream.refuses = {ANN}
    world.mail("0:00", "boom", 120)
    world.mail("0:05", "other", 3)
    world.until("0:45")
    assert [message.state for message in world.ledger.messages()][-1] is MessageState.DEAD

    world.upstream.refuses = set()
    inbox = world.until("2:00")[ANN]

    assert "new other 3" in inbox[0]
    assert "The digest of 00:00 could not be delivered. It reported 120 occurrences:" in world.inboxes[ANN][0].text
    assert (world.books.reported, world.books.undelivered, world.books.pending) == (3, 120, 0)
    assert world.books.balanced


def test_digests_about_a_single_error_are_one_thread(make_world):
    world = make_world()
    world.flood(300, "0:00", "0:30", "boom", every=30)

    world.until("0:20")

    first, second, third = (received.mail for received in world.inboxes[ANN])
    assert "References" not in first
    assert first["Message-ID"] in second["References"]
    assert first["Message-ID"] in third["References"]


def test_removed_recipient_gets_nothing_more_and_delays_nothing(make_world):
    """Bob is greylisted and then removed from the configuration: his messages are given up and the books balance."""
    world = make_world(admins=(ANN, BOB))
    world.upstream.greylists = {BOB}
    world.mail("0:00", "boom", 2)
    world.mail("0:10", "other", 5)
    world.until("0:30")
    assert (world.books.pending, len(world.inboxes[ANN])) == (7, 2)

    world.digests = world.worker("two", world.settings.model_copy(update={"admins": (ANN,)}))
    world.upstream.greylists = set()
    world.until("6:00")

    assert BOB not in world.inboxes
    assert (world.books.reported, world.books.pending) == (7, 0)
    assert world.books.balanced


def test_last_route_reports_the_totals_of_a_digest_whose_only_recipient_was_removed(make_world):
    world = make_world(admins=(ANN,), route=[{"name": "night", "recipients": [BOB]}])
    world.upstream.greylists = {BOB}
    world.mail("0:00", "batch", 7, route="night")
    world.until("0:30")

    world.digests = world.worker("two", world.settings.model_copy(update={"route": ()}))
    world.upstream.greylists = set()
    world.mail("1:00", "boom")
    world.until("2:00")

    assert BOB not in world.inboxes
    assert "The digest of 00:00 could not be delivered. It reported 7 occurrences" in world.inboxes[ANN][0].text
    assert (world.books.undelivered, world.books.reported) == (7, 1)
    assert world.books.balanced


def test_pending_mails_of_a_removed_route_go_to_the_last_route(make_world):
    world = make_world(admins=(ANN,), route=[{"name": "night", "recipients": [BOB]}])
    world.mail("0:00", "boom", 2, route="night")
    world.until("0:00:05")

    world.digests = world.worker("two", world.settings.model_copy(update={"route": ()}))

    assert world.until("1:00") == {ANN: ["0:00:10 new boom 2"]}
