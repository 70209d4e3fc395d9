"""Templates of source lines: what is read, and that no line and no message takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.parameterize.source_template.match import fit
from relay.parameterize.source_template.python import templates
from relay.parameterize.source_template.scan import MAX_LINE, ScanError, scan
from relay.parameterize.source_template.template import SourceTemplate
from relay.parameterize.template import parameterize


def shown(template):
    """The template with its holes in brackets."""
    pieces = [template.literals[0]]
    for hole, literal in zip(template.holes, template.literals[1:], strict=True):
        pieces += [f"[{hole}]", literal]
    return "".join(pieces)


@pytest.mark.parametrize(
    ("line", "template"),
    [
        ('raise E(f"only {left} left of {sku!r}")', "only [left] left of [sku]"),
        ('raise E("only %d left of %s" % (left, order.sku))', "only [left] left of [order.sku]"),
        ('raise E("sold by %s" % name)', "sold by [name]"),
        ('raise E("%(sku)s of %(who)s is gone" % row)', "[sku] of [who] is gone"),
        ('raise E("{} of {who}, all {{sold}}".format(sku, who=who))', "[sku] of [who], all {sold}"),
        ('raise E("one " + two + " three")', "one [two] three"),
        ('raise E("one " "two " f"{three}")', "one two [three]"),
        ('assert stock, f"no {sku} in stock"', "no [sku] in stock"),
        ('logger.error("no room for %s in %s", who, room)', "no room for [who] in [room]"),
        ('abort(404, description=f"no page {page}")', "no page [page]"),
        ('raise E(_("no page %s") % page)', "no page [page]"),
        ('raise E(("no page %s"\n "of %s") % (page, book))', "no page [page]of [book]"),
        ("""raise E(f"no page {book["page"]} in {f'{x}'}")""", """no page [book["page"]] in [f'{x}']"""),
        ('raise E(f"{left=} is {total:>{width}} here")', "left=[left] is [total] here"),
        ('if gone: raise E(f"no page {page}") from error', "no page [page]"),
        ("raise E, 'no page %s' % page", "no page [page]"),
        (r'raise E(f"no \"page\" {page}\tof\x41 \d")', 'no "page" [page]\tofA \\d'),
        ('raise E(rf"no \\d {page}")', "no \\d [page]"),
        ('raise E(Template("no page $page of ${book}, $$5").substitute(row))', "no page [page] of [book], $5"),
        ('raise E(" ".join(["no page", page]))', "no page [page]"),
        ('raise E(", ".join(page for page in pages))', None),
        ('raise E("  no page %s " % page)', "  no page [page] "),
        ('raise E(f"no page {(x := page)} of {book}")', "no page [(x := page)] of [book]"),
        ('raise E(t"no page {page}")', None),
        ("raise E(text)", None),
        ('raise E(f"no page {page}', None),
        ('raise E("no page %s",', None),
        ('raise E("%s: %s" % (a, b))', None),
    ],
)
def test_templates_of_a_line_of_python(line, template):
    found = [each for each in templates(line) if each.holes]

    assert (shown(found[0]) if found else None) == template


@pytest.mark.parametrize(
    ("literals", "message", "data"),
    [
        (("only ", " left of ", ""), "only 4 left of hats", ["4", "hats"]),
        (("", " and also ", ""), "one and also two and also three", ["one", "two and also three"]),
        (("page ", ""), "404 Not Found: page index", ["index"]),
        (("page ", " is gone"), "page is gone", None),
        (("page ", ""), "the page index", None),
        (("it's ", "\n"), "it's gone", ["gone"]),
        (("uploads of ", " failed"), "uploads of anna failed (2 sub-exceptions)", ["anna"]),
        (("  page ", " "), " page index", ["index"]),
    ],
)
def test_a_template_fits_the_whole_message_or_not_at_all(literals, message, data):
    holes = tuple("x1" for _ in literals[1:])
    found = fit(message, [SourceTemplate(literals, holes)])

    assert (found and [found.message[start:end] for start, end in found.data]) == data


PIECES = st.sampled_from(
    ["'", '"', '"""', "f'", 'rf"', "{", "}", "{{", "}}", "(", ")", "[", "]", ",", "+", "%", "%s", "%(a)s", ".format",
     "if", "else", "!r", ":", "=", "\\", "\\x4", "\\U99999999", "\n", " ", "a", "no page", "#", "\x00",
     "é", "\U0001d4b3"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=120).map("".join), st.text(max_size=200))
def test_any_line_and_any_message_give_parts_of_the_message_in_their_order(line, message):
    found = fit(message, templates(line))

    edges = [edge for span in found.data for edge in span] if found else []
    assert edges == sorted(edges)
    assert not found or parameterize(found.message, found.data).key is not None


@given(st.text(max_size=60), st.lists(st.integers(0, 60), unique=True, max_size=8))
def test_known_data_is_replaced_in_any_text(text, edges):
    edges = sorted(edge for edge in edges if edge <= len(text))
    spans = tuple(zip(edges[::2], edges[1::2], strict=False))

    found = parameterize(text, spans)

    assert all(isinstance(value, str) for pair in found.found for value in pair)
    assert not spans or found.text or not text


@pytest.mark.parametrize(
    "line",
    ["(" * MAX_LINE, "f'{" * 300, "not " * 250, "-" * MAX_LINE, "a." * 500, "'" * MAX_LINE, "f'{" + "(" * 900,
     "x" * 100_000, "E(" + "'a' + b + " * 90 + "'c')", "((((((((((" + "'a %s'," * 100 + "))))))))))",
     "f'{a!r:{b:{c}}}'" * 60],
)  # fmt: skip
def test_hostile_lines_are_read_within_milliseconds(line):
    began = time.process_time()

    templates(line)

    assert time.process_time() - began < 0.1


def test_a_message_made_of_the_literals_of_a_template_is_matched_in_linear_time():
    template = SourceTemplate(("a", *["a"] * 50, "b"), ("x",) * 51)
    began = time.process_time()

    for _ in range(20):
        fit("a" * 1_999, [template])

    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("text", ["(" * 30 + ")" * 30, "x" * (MAX_LINE + 1), "(]", ")", "'open"])
def test_incomplete_long_and_deep_lines_are_refused(text):
    with pytest.raises(ScanError):
        scan(text)
