"""Memoization bounded in bytes: the answer is the function's own, and what is asked for most stays."""

from hypothesis import given
from hypothesis import strategies as st

from relay.memo import memoized
from tests.support.memoized import bytes_held


@given(st.lists(st.tuples(st.text(max_size=40), st.integers(0, 2)), max_size=60))
def test_an_answer_is_the_functions_own_in_any_order_and_after_it_was_forgotten(questions):
    calls = []

    @memoized(size=2_000, largest=200, times=1)
    def answer(text: str, number: int) -> str | None:
        calls.append(text)
        return text * number or None

    for text, number in questions:
        assert answer(text, number) == (text * number or None)
        assert bytes_held(answer) <= 2_000

    assert len(calls) <= len(questions)


def test_what_is_asked_for_again_and_again_is_made_once_however_many_others_come():
    calls: list[str] = []
    answer = memoized(size=4_000, largest=400)(calls.append)

    for number in range(200):
        answer(f"other {number}")
        answer("again")

    assert calls.count("again") == 1
    assert len(calls) == 201


def test_a_text_that_is_too_large_is_not_kept():
    calls: list[str] = []
    answer = memoized(size=4_000, largest=400)(calls.append)

    answer("x" * 500)
    answer("x" * 500)

    assert len(calls) == 2
    assert bytes_held(answer) == 0
