"""Arguments of log messages: which are replaced with the client's template, and when the template is not used."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.parameterize.arguments import without_arguments
from relay.parameterize.template import parameterize


@pytest.mark.parametrize(
    ("message", "template", "types", "expected"),
    [
        ("no such customer: anna", "no such customer: %s", ["str"], "no such customer: <value>"),
        ("no such customer: anna", "no such customer: %(who)s", {"who": "str"}, "no such customer: <value>"),
        ("tariff gold is 100% gone", "tariff %s is 100%% gone", ["str"], "tariff <value> is 100% gone"),
        ("job  mail of queue a", "job %5s of queue %-1s", ["str", "str"], "job <value> of queue <value>"),
    ],
)
def test_argument_of_one_word_is_replaced(message, template, types, expected):
    found = without_arguments(message, template, types)

    assert parameterize(found).key == parameterize(expected).key


@pytest.mark.parametrize(
    ("message", "template", "types"),
    [
        ("payment failed", "%s failed", ["str"]),
        ("a: b", "%s: %s", ["str", "str"]),
        ("cannot connect: no route to host", "cannot connect: %s", ["str"]),
        ("no such customer: anna", "no such customer: %s", ["shop.Customer"]),
        ("no such customer: anna", "no such customer: %s", ["int"]),
        ("no such customer: anna", "no such customer: %s", []),
        ("no such customer: anna", "no such customer: %(who)s", ["str"]),
        ("no such customer: anna", "no such supplier: %s", ["str"]),
        ("no such customer: anna", "no such customer: %s at all", ["str"]),
        ("no such customer: anna", "customer: %s", ["str"]),
        ("no such customer: anna", "no such customer: %s%s", ["str", "str"]),
        ("no such customer: anna", "no such customer: anna", []),
        ("no such customer: anna", "", []),
        ("no such customer: anna", "no such customer: %*s", ["int", "str"]),
        ("order 17 of anna@example.com failed", "order %s of %s failed", ["str", "str"]),
        ("no such customer: " + "a" * 3000, "no such customer: %s", ["str"]),
    ],
    ids=[
        "the argument describes the error", "no fixed words", "a sentence", "an object", "a number", "no type",
        "name without type", "another message", "longer template", "not from the start", "adjacent arguments",
        "no argument", "no template",
        "width as argument", "already replaced by a rule", "too long",
    ],
)  # fmt: skip
def test_message_stays_if_the_template_does_not_apply(message, template, types):
    assert without_arguments(message, template, types) == ""


WORD = st.text(alphabet=string.ascii_letters, min_size=1, max_size=12)
DATA = st.one_of(
    st.integers(10, 10**9).map(str),
    st.uuids().map(str),
    st.emails().filter(lambda text: text.replace("@", "").replace(".", "").isalnum()),
    st.ip_addresses(v=4).map(str),
)


@given(value=DATA)
def test_data_that_a_rule_replaces_gives_one_key_with_and_without_template(value):
    message, template = f"cannot reach the service for {value} again", "cannot reach the service for %s again"

    assert parameterize(without_arguments(message, template, ["str"]) or message).key == parameterize(message).key


@given(one=WORD, other=WORD)
def test_two_values_of_an_argument_give_one_key(one, other):
    template = "cannot find the account named %s, giving up"
    keys = {parameterize(without_arguments(template % word, template, ["str"])).key for word in (one, other)}

    assert len(keys) == 1


@given(
    message=st.text(max_size=60),
    template=st.text(alphabet="%sd()r5. ab", max_size=40),
    types=st.lists(st.sampled_from(["str", "int", ""]), max_size=5),
)
def test_arbitrary_template_is_accepted(message, template, types):
    found = without_arguments(message, template, types)

    assert found == "" or "<value>" in found
