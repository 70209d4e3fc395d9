"""Fingerprints do not depend on release, host or occurrence, in any language (generated traces)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.same_errors import fingerprint_of, same_error

names = st.from_regex(r"[a-z]{4,8}", fullmatch=True).filter(
    lambda name: (
        name
        not in (
            "main",
            "dist",
            "home",
            "root",
            "data",
            "code",
            "site",
            "live",
            "build",
            "source",
            "latest",
            "current",
            "release",
            "clone",
        )
    )
)
stacks = st.lists(st.tuples(names, names), min_size=1, max_size=6)
"""File and function of each call, outermost first."""
roots = st.sampled_from(
    ["/srv/x/current", "/opt/x-1.2.3", "/home/ada/x/releases/20240101120000", "/usr/src/app", "/var/www/x"]
)
lines = st.integers(1, 9_000)
idents = st.integers(1, 10**9)


def python(stack, root, line, message, type_="LostError"):
    calls = [
        f'  File "{root}/shop/{file}.py", line {line + n}, in {name}\n    x()' for n, (file, name) in enumerate(stack)
    ]
    return "\n".join(["Traceback (most recent call last):", *calls, f"shop.errors.{type_}: {message}"])


def python27(stack, root, line, message, type_="LostError"):
    return python(stack, root, line, f"{message}: u'ada'", type_).replace("shop.errors.", "")


def php(stack, root, line, message, type_="LostError"):
    inner = [
        f"#{n} {root}/src/{file}.php({line + n}): Shop\\Cart->{name}()" for n, (file, name) in enumerate(stack[::-1])
    ]
    end = f"#{len(stack)} {{main}}\n  thrown in {root}/src/a.php on line {line}"
    return "\n".join(
        [f"PHP Fatal error:  Uncaught Shop\\{type_}: {message} in {root}/src/a.php:{line}", "Stack trace:", *inner, end]
    )


def dotnet(stack, root, line, message, type_="LostError"):
    calls = [
        f"   at Shop.{file.title()}.{name}(String a) in {root}/{file}.cs:line {line + n}"
        for n, (file, name) in enumerate(stack[::-1])
    ]
    return "\n".join([f"Shop.{type_}: {message}", *calls])


def mono(stack, root, line, message, type_="LostError"):
    calls = [
        f"  at Shop.{file.title()}.{name} (System.String a) [0x{line:05x}] in {root}/{file}.cs:{line + n} "
        for n, (file, name) in enumerate(stack[::-1])
    ]
    return "\n".join([f"Shop.{type_}: {message}", *calls])


def java(stack, root, line, message, type_="LostError"):
    calls = [
        f"\tat org.shop.{file.title()}.{name}({file.title()}.java:{line + n})"
        for n, (file, name) in enumerate(stack[::-1])
    ]
    return "\n".join([f"org.shop.{type_}: {message}", *calls])


def javascript(stack, root, line, message, type_="LostError"):
    calls = [f"    at {name} ({root}/src/{file}.js:{line + n}:7)" for n, (file, name) in enumerate(stack[::-1])]
    return "\n".join([f"{type_}: {message}", *calls])


def ruby(stack, root, line, message, type_="LostError"):
    (file, name), *rest = stack[::-1]
    calls = [f"\tfrom {root}/lib/{file}.rb:{line + n}:in `{name}'" for n, (file, name) in enumerate(rest)]
    return "\n".join([f"{root}/lib/{file}.rb:{line}:in `{name}': {message} (Shop::{type_})", *calls])


def go(stack, root, line, message, type_="LostError"):
    calls = [
        f"example.org/shop/{file}.{name}(0x{line:x})\n\t{root}/{file}.go:{line + n} +0x{line:x}"
        for n, (file, name) in enumerate(stack[::-1])
    ]
    return "\n".join([f"panic: {type_}: {message}", "", f"goroutine {line} [running]:", *calls])


def rust(stack, root, line, message, type_="LostError"):
    calls = [
        f"   {n}: shop::{file}::{name}\n             at {root}/src/{file}.rs:{line + n}:5"
        for n, (file, name) in enumerate(stack[::-1])
    ]
    return "\n".join(
        [f"thread 'main' panicked at {root}/src/a.rs:{line}:5:", f"{type_}: {message}", "stack backtrace:", *calls]
    )


LANGUAGES = (python, python27, php, dotnet, mono, java, javascript, ruby, go, rust)
MARGINS = ("Nov 22 17:03:{n:02} web-{n} shop[47{n}]: ", "web-1  | ", "2026-11-22T17:03:{n:02}.5Z stderr F ")


def message(ident):
    return f"order {ident} of customer {ident * 3} is short"


each_language = pytest.mark.parametrize("printed", LANGUAGES, ids=lambda printed: printed.__name__)


@each_language
@settings(max_examples=20, deadline=None)
@given(stacks, roots, roots, lines, idents)
def test_another_release_host_and_occurrence_is_the_same_error(printed, stack, root, other_root, line, ident):
    one = printed(stack, root, 10, message(4711))
    other = printed(stack, other_root, line, message(ident))

    assert same_error(one, other)
    assert same_error(one, other.replace("\n", "\r\n"))


@each_language
@settings(max_examples=10, deadline=None)
@given(stacks, roots, lines)
def test_another_function_type_or_wording_is_another_error(printed, stack, root, line):
    one = printed(stack, root, line, message(7))

    assert not same_error(one, printed([*stack[:-1], (stack[-1][0], f"{stack[-1][1]}Anew")], root, line, message(7)))
    assert not same_error(one, printed(stack, root, line, message(7), type_="GoneError"))
    assert not same_error(one, printed(stack, root, line, "order 7 is unknown"))


@each_language
@settings(max_examples=10, deadline=None)
@given(stacks, roots, st.sampled_from(MARGINS))
def test_prefixes_of_syslog_and_containers_make_no_difference(printed, stack, root, margin):
    one = f"Totals failed\nof all\n{printed(stack, root, 10, message(7))}"
    carried = "\n".join(margin.format(n=n % 60) + line for n, line in enumerate(one.split("\n")))

    assert same_error(one, carried)


@each_language
@settings(max_examples=10, deadline=None)
@given(stacks, roots)
def test_a_json_record_is_the_same_error(printed, stack, root):
    trace = printed(stack, root, 10, message(7))

    assert same_error(f"Totals failed\n{trace}", json.dumps({"level": "error", "msg": "Totals failed", "stack": trace}))


@settings(max_examples=20, deadline=None)
@given(st.permutations(LANGUAGES), stacks)
def test_earlier_mails_make_no_difference(order, stack):
    texts = [printed(stack, "/srv/x/current", 10, message(7)) for printed in order]

    assert [fingerprint_of(text).key for text in texts] == [fingerprint_of(text).key for text in reversed(texts)][::-1]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LANGUAGES), stacks, st.data())
def test_a_trace_cut_at_any_place_has_a_fingerprint(printed, stack, data):
    text = printed(stack, "/srv/x/current", 10, message(7))
    start = data.draw(st.integers(0, len(text)))

    assert fingerprint_of(text[start:]) == fingerprint_of(text[start:])
    assert fingerprint_of(text[:start]).title
