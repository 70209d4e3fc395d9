"""What the learner makes of the messages of one place, in their order."""

import json
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.grouping.components import components
from relay.grouping.evidence import MAX_WORD
from relay.grouping.fingerprint import fingerprint
from relay.grouping.learning import HOLE, MAX_AGE_DAYS, MAX_ENTRIES, MAX_VALUES, Place
from relay.grouping.observation import MAX_LENGTH, Observation, observe
from relay.ingest.batch import learn_lines
from relay.parse.report import parse_text

LOCATION = "/srv/shop/mail.py:17"


def groups_of(*bodies):
    """The group of each body after all were read."""
    lines = [json.dumps({"id": n, "subject": "Shop", "body": body}) for n, body in enumerate(bodies)]
    return [json.loads(line)["group"] for line in learn_lines(lines)]


def number_of_groups(*bodies):
    return len(set(groups_of(*bodies)))


def seen(text, key="", line=b"", place=b"p", **fields):
    return Observation(place, tuple(text.split(" ")), key or text, text=text, line=line, **fields)


def learn(place, *texts):
    return [place.learn(seen(text)) for text in texts]


def mailbox(name):
    return f"delivery to the mailbox {name} stalled at night"


def at(text, line=17, function="deliver"):
    """The text in the documented mail format."""
    return (
        f"Message type:       ERROR\nLocation:           /srv/shop/mail.py:{line}\nModule:             mail\n"
        f"Function:           {function}\nTime:               2026-01-01 10:00:00,000\n\nMessage:\n\n{text}\n"
    )


# --- What is one error ------------------------------------------------------------------------------------------------


def test_three_values_seen_once_are_one_error():
    assert number_of_groups(*map(mailbox, ("anna", "bob", "chen"))) == 1


def test_the_first_key_stays_and_the_others_are_named():
    *_, verdict = learn(Place(), *map(mailbox, ("anna", "bob", "chen")))

    assert verdict.joined.key == mailbox("anna")
    assert verdict.joined.keys == (mailbox("bob"), mailbox("chen"))
    assert verdict.joined.values == (("anna", "bob", "chen"),)
    assert verdict.joined.words.index(HOLE) == 4


def test_what_is_learned_applies_to_the_next_mail_at_once():
    place = Place()
    learn(place, *map(mailbox, ("anna", "bob", "chen")))

    verdict = place.learn(seen(mailbox("dora")))

    assert verdict.key == mailbox("anna")
    assert verdict.joined is None


def test_two_words_may_vary_together():
    names = ("Hanna Jensen", "Bruno Lopez", "Dmitri Rossi")

    assert number_of_groups(*(f"{name} uploaded the forbidden picture" for name in names)) == 1


def test_a_value_that_the_message_repeats_is_one_word():
    texts = [f"{name} owes money and {name} owes books and {name} owes time" for name in ("anna", "bob", "chen")]

    assert number_of_groups(*texts) == 1


def test_data_that_the_fingerprint_knows_counts_as_many_values():
    logins = [
        f"Rejected login {n} for the tenant {name}" for n, name in enumerate(("4711", "88123", "90817", "Kowalski"))
    ]

    assert number_of_groups(*logins) == 1


# --- What is not ------------------------------------------------------------------------------------------------------


def test_two_values_are_no_evidence():
    assert number_of_groups(*map(mailbox, ("anna", "bob"))) == 2


@pytest.mark.parametrize("rounds", [4, 20])
def test_values_that_come_again_and_again_stay_apart(rounds):
    texts = [f"cannot reach the service {name} from here" for name in ("redis", "postgres", "smtp")]

    assert number_of_groups(*texts * rounds) == 3
    assert number_of_groups(*(text for text in texts for _ in range(rounds))) == 3


def test_an_enumeration_is_never_learned_again():
    place = Place()
    texts = list(map(mailbox, ("redis", "postgres", "smtp")))
    taken_back = [verdict.taken_back for verdict in learn(place, *texts * 5) if verdict.taken_back]

    assert taken_back == [texts[0]]
    assert not any(verdict.joined for verdict in learn(place, *texts * 5, *map(mailbox, ("ldap", "kafka", "imap"))))


def test_one_open_word_does_not_join_two_wordings():
    texts = [
        f"{kind} limit of the tenant {name}" for name in ("ada", "bob", "chen", "dora") for kind in ("Size", "Time")
    ]

    assert number_of_groups(*texts) == 2


@pytest.mark.parametrize(
    "values",
    [
        ("posted", "deleted", "shared", "copied"),
        ("reading", "writing", "closing", "opening"),
        ("refused", "denied", "timeout", "invalid"),
        ("before", "after", "while", "until"),
        ("ValueError", "KeyError", "TypeError", "OSError"),
        ("shop.load()", "shop.save()", "shop.move()", "shop.drop()"),
        ("ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOENT"),
        ("GET", "POST", "PUT", "DELETE"),
    ],
)
def test_wording_types_functions_and_codes_are_never_data(values):
    assert number_of_groups(*(f"the mail server {value} our nightly report" for value in values)) == len(values)


def test_codes_that_the_fingerprint_keeps_are_never_data():
    assert (
        number_of_groups(*(f"The mail server answered with HTTP {code} tonight" for code in (403, 404, 502, 503))) == 4
    )


def test_a_message_needs_two_fixed_words():
    assert number_of_groups(*(f"{name} ab cd stopwatch" for name in ("anna", "bob", "chen", "dora"))) == 4


def test_without_a_place_a_message_needs_one_fixed_word_more():
    texts = [f"{name} startup succeeds" for name in ("cupsd", "syslogd", "klogd", "hcid")]

    assert number_of_groups(*texts) == 4
    assert number_of_groups(*(at(text, line) for line, text in enumerate(texts, 1))) == 1


def test_messages_of_different_length_stay_apart():
    assert number_of_groups(*map(mailbox, ("anna", "bob the builder", "chen of the yard"))) == 3


def test_names_of_values_must_be_equal():
    texts = [f"the report of the night misses {field}" for field in ("user=anna", "host=mars", "disk=full1x")]

    assert number_of_groups(*texts) >= 2


def test_other_functions_and_exception_types_stay_apart():
    functions = [at(mailbox(name), line, f"deliver_{name}") for line, name in enumerate(("anna", "bob", "chen"))]
    trace = 'Traceback (most recent call last):\n  File "/srv/shop/web.py", line 1, in pay\n    pay()\n{0}Error: {1}\n'
    traces = [trace.format(kind, mailbox(kind)) for kind in ("Anna", "Bob", "Chen")]

    assert number_of_groups(*functions) == 3
    assert number_of_groups(*traces) == 3


# --- One line of the code ---------------------------------------------------------------------------------------------


def test_two_values_of_one_line_are_one_error():
    assert number_of_groups(*(at(f"no such customer: {name}") for name in ("anna", "bob"))) == 1
    assert number_of_groups(at("no such customer: anna", 17), at("no such customer: bob", 18)) == 2


def test_one_line_in_two_releases_is_no_evidence():
    texts = [f"the mailbox of {name} overflows tonight" for name in ("anna", "bob")]
    reports = [replace(parse_text("Shop", at(text)), release=str(n)) for n, text in enumerate(texts)]
    place = Place()

    for report in reports:
        found = observe(report, components(report), fingerprint(report).key)
        assert found is not None
        verdict = place.learn(found)

    assert verdict.joined is None


@pytest.mark.parametrize("values", [("rose", "fell"), ("customer_id", "order_id"), ("speichern", "senden")])
def test_two_wordings_of_one_line_stay_apart(values):
    assert number_of_groups(*(at(f"the total {value} by a lot since yesterday") for value in values)) == 2


def test_calls_with_the_same_lines_are_one_line():
    trace = (
        'Traceback (most recent call last):\n  File "/srv/shop/web.py", line {}, in pay\n    raise PayError(text)\n'
        "shop.PayError: charge rejected for {} tonight\n"
    )

    assert number_of_groups(trace.format(7, "anna"), trace.format(7, "bob")) == 1
    assert number_of_groups(trace.format(7, "anna"), trace.format(8, "bob")) == 2


# --- Bounds and storage -----------------------------------------------------------------------------------------------


def test_distinct_messages_do_not_grow_a_place():
    place = Place()
    for n in range(2_000):
        place.learn(seen(f"{n:x}a alpha {n:x}b beta {n:x}c gamma {n:x}d delta"))

    assert len(place.entries) == MAX_ENTRIES
    assert len(place.dump()) < 300 * MAX_ENTRIES


def test_the_state_of_a_place_is_bounded_whatever_the_mails_say():
    """Long words, and long values behind a word such as `node*`."""
    places: dict[bytes, Place] = {}
    for number in range(400):
        long = "".join(chr(97 + number // 26**place % 26) for place in range(3)) * 300
        for text in (f"the job {long} of the night stalled", f"the node{long}7 of the night stalled"):
            report = parse_text("Shop", at(text))
            found = components(report)
            observation = observe(report, found, fingerprint(report).key)
            if observation:
                places.setdefault(observation.place, Place()).learn(observation)

    assert all(len(place.dump()) < MAX_ENTRIES * 2 * MAX_LENGTH for place in places.values())
    values = [value for place in places.values() for each in place.entries.values() for value in chain(*each.values)]
    assert all(len(value) <= MAX_WORD for value in values)


def test_nothing_is_learned_from_a_chain_of_very_long_messages():
    call = '  File "/srv/shop/a.py", line {0}, in f{0}\n    f()\n'
    error = f"Traceback (most recent call last):\n{call}Lost{{0}}: the {{1}} is lost\n"
    long = " ".join(char * 80 for char in "abc")
    chain_of = "\nDuring handling of the above exception, another exception occurred:\n\n".join
    report = parse_text("Shop", chain_of(error.format(number, long) for number in range(5)))

    assert len(components(report).chain) == 5
    assert observe(report, components(report), "key") is None


def test_a_template_keeps_few_values_and_outlives_a_flood_of_messages():
    place = Place()
    learn(place, *(mailbox(f"{chr(97 + n)}nna") for n in range(26)))
    for n in range(1_000):
        place.learn(seen(f"{n:x}a alpha {n:x}b beta {n:x}c {n:x}d delta"))

    assert place.learn(seen(mailbox("zoe"))).key == mailbox("anna")
    (template,) = (entry for entry in place.entries.values() if entry.values)
    assert len(template.values[0]) == MAX_VALUES


def test_what_is_learned_ages_out():
    place = Place()
    learn(place, *map(mailbox, ("anna", "bob", "chen")))

    assert Place.load(place.dump(), MAX_AGE_DAYS).entries
    assert not Place.load(place.dump(), MAX_AGE_DAYS + 1).entries


def test_a_template_that_an_administrator_takes_back_is_never_learned_again():
    place = Place()
    learn(place, *map(mailbox, ("anna", "bob", "chen")))

    assert place.keep_apart(mailbox("anna"))
    assert not place.keep_apart("another key")

    place = Place.load(place.dump(), 10 * MAX_AGE_DAYS)
    verdicts = learn(place, *map(mailbox, ("anna", "bob", "chen", "dora", "emil")))
    assert [verdict.key for verdict in verdicts] == list(map(mailbox, ("anna", "bob", "chen", "dora", "emil")))


words = st.sampled_from(
    ["mail", "anna", "bob", "chen", "dora", "node*", "*", "is", "late", "from", "rose", "x=1", "x=2"]
)
streams = st.lists(st.lists(words, min_size=5, max_size=5), max_size=60)


@given(streams, st.lists(st.booleans(), min_size=60, max_size=60))
def test_a_restart_after_any_mail_changes_nothing(stream, restarts):
    one, other = Place(), Place()
    for number, (message, restart) in enumerate(zip(stream, restarts, strict=False)):
        text = " ".join(message)
        line = bytes([number % 3])
        other = Place.load(other.dump()) if restart else other
        assert one.learn(seen(text, line=line)) == other.learn(seen(text, line=line))

    assert one.dump() == other.dump()


@given(streams)
def test_a_key_belongs_to_one_template_at_most(stream):
    place = Place()
    for message in stream:
        place.learn(seen(" ".join(message)))

    templates = [entry.key for entry in place.entries.values() if entry.values]
    assert len(templates) == len(set(templates))
