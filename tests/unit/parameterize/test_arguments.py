"""Words of a message that the app says to be data, and when it is believed."""

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
def test_a_word_is_left_out(message, template, types, expected):
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
        "the word says what happened", "no words of its own", "a sentence", "an object", "a number", "no type",
        "by no name", "another message", "longer", "not from the start", "two in one", "no argument", "no template",
        "a width", "data by its form", "too long",
    ],
)  # fmt: skip
def test_where_it_is_not_believed_the_message_stands(message, template, types):
    assert without_arguments(message, template, types) == ""


WORD = st.text(alphabet=string.ascii_letters, min_size=1, max_size=12)
DATA = st.one_of(
    st.integers(10, 10**9).map(str),
    st.uuids().map(str),
    st.emails().filter(lambda text: text.replace("@", "").replace(".", "").isalnum()),
    st.ip_addresses(v=4).map(str),
)


@given(value=DATA)
def test_data_by_its_form_gives_one_key_with_and_without_the_template(value):
    message, template = f"cannot reach the service for {value} again", "cannot reach the service for %s again"

    assert parameterize(without_arguments(message, template, ["str"]) or message).key == parameterize(message).key


@given(one=WORD, other=WORD)
def test_two_words_give_one_key(one, other):
    template = "cannot find the account named %s, giving up"
    keys = {parameterize(without_arguments(template % word, template, ["str"])).key for word in (one, other)}

    assert len(keys) == 1


@given(
    message=st.text(max_size=60),
    template=st.text(alphabet="%sd()r5. ab", max_size=40),
    types=st.lists(st.sampled_from(["str", "int", ""]), max_size=5),
)
def test_any_template_is_taken_apart(message, template, types):
    found = without_arguments(message, template, types)

    assert found == "" or "<value>" in found
