"""Evaluates formulas (lark)."""

from lark import Lark

GRAMMAR = 'start: NUMBER ("+" NUMBER)*\nNUMBER: /[0-9]+/\n%ignore " "'


def evaluate(formula):
    return Lark(GRAMMAR, parser="lalr").parse(formula)


def run_character(rng):
    """A letter in a formula."""
    return evaluate(" + ".join(str(rng.randrange(99)) for _ in range(rng.randrange(2, 9))) + " ? 3")
