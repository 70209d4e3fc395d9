"""The templates of the messages that a line of Python can format (source_template).

Read are f-strings, %-formats with one value, tuples and dicts, `.format`, concatenation, implicit joins and constants,
as arguments of any call (`raise Missing(…)`, `abort(404, …)`, `logger.error("…", value)`) and of `assert`.
A line that is not complete, such as the first line of a call of several lines, has no template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from relay.parameterize.source_template.scan import Group, Quoted, ScanError, Token, scan
from relay.parameterize.source_template.template import SourceTemplate, hole, joined, literal

MAX_MEMOIZED = 256
"""Lines whose templates are memoized: at most a few hundred kilobytes, since lines are bounded."""
_MAX_NESTING = 6
_MAX_TEMPLATES = 20

_PERCENT = re.compile(
    r"%(?:(?P<percent>%)|(?:\((?P<name>[^()]{1,100})\))?[-#0 +]{0,5}(?:\*|\d{0,4})(?:\.(?:\*|\d{0,4}))?[hlL]?"
    r"[diouxXeEfFgGcrsa])"
)
_FIELD = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}!:]{0,100})(?:![rsa])?(?::(?:[^{}]{0,100}|\{[^{}]{0,50}\}){0,3})?\}")
_SUBSTITUTE = (".substitute", ".safe_substitute")
_DOLLAR = re.compile(r"\$(?:\$|(?P<name>[A-Za-z_]\w{0,60})|\{(?P<braced>[A-Za-z_]\w{0,60})\})")
"""A placeholder of `string.Template`."""
_FORMAT = (".format", ".format_map")
_STATEMENTS = frozenset(("raise", "return", "await", "yield", "assert", "else", "except", "finally", "try", "lambda"))
_ALTERNATIVES = frozenset(("if", "else", "or", "and"))


@lru_cache(maxsize=MAX_MEMOIZED)
def templates(line: str) -> tuple[SourceTemplate, ...]:
    """Return the templates that `line` can format; the one with the most fixed text first.

    Each has a fixed word; one without holes has two, since it could be a name.
    """
    try:
        tokens = scan(line)
    except ScanError:
        return ()
    found = dict.fromkeys(each.first_line() for each in _in_arguments(tokens, 0))
    known = [each for each in found if each.words > (0 if each.holes else 1)][:_MAX_TEMPLATES]
    return tuple(sorted(known, key=lambda each: -each.length))


def _in_arguments(tokens: Sequence[Token], depth: int) -> Iterator[SourceTemplate]:
    """Yield the templates of the arguments in `tokens`, and of those in all brackets inside."""
    arguments = _split(tokens, ",")
    for number, argument in enumerate(arguments):
        if not any(isinstance(token, (Quoted, Group)) for token in argument):
            continue
        for alternative in _alternatives(_value_of(argument)):
            template = _sum(alternative, depth)
            if template.words:
                yield template
                yield from _with_arguments(template, arguments[number + 1 :])
    if depth < _MAX_NESTING:
        for token in tokens:
            if isinstance(token, Group):
                yield from _in_arguments(token.tokens, depth + 1)


def _value_of(argument: Sequence[Token]) -> Sequence[Token]:
    """Return the argument without its name (`detail=`), or without the keyword of a statement."""
    if len(argument) > 2 and argument[1] == "=" and isinstance(argument[0], str):
        return argument[2:]
    first = 0
    while first < len(argument) and isinstance(argument[first], str) and str(argument[first]) in _STATEMENTS:
        first += 1
    return argument[first:]


def _alternatives(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield the values of `a if c else b`, `a or b`."""
    begin = 0
    for number, token in enumerate(tokens):
        if isinstance(token, str) and token in _ALTERNATIVES:
            yield tokens[begin:number]
            begin = number + 1
    yield tokens[begin:]


def _with_arguments(template: SourceTemplate, arguments: Sequence[Sequence[Token]]) -> Iterator[SourceTemplate]:
    """Yield a constant as a format with the arguments behind it, as loggers and helpers insert them later."""
    if template.holes or not arguments:
        return
    text = template.literals[0]
    values = [_text(_value_of(each)) for each in arguments]
    if "%" in text:
        yield _percent(text, values)
    if "{" in text:
        yield _formatted(text, values)


# --- Expressions ------------------------------------------------------------------------------------------------------


def _sum(tokens: Sequence[Token], depth: int) -> SourceTemplate:
    """Return the template of `"a" + b + "c"`."""
    if "+" not in tokens:
        return _term(tokens, depth)
    return joined(_term(term, depth) for term in _split(tokens, "+"))


def _term(tokens: Sequence[Token], depth: int) -> SourceTemplate:
    """Return the template of one value: a string, perhaps formatted, or anything else as a hole."""
    template, rest = _text_value(tokens, depth)
    if template and not rest:
        return template
    if template and not template.holes and (found := _inserted(template, rest, depth)):
        return found
    return hole(_text(tokens))


def _inserted(template: SourceTemplate, rest: Sequence[Token], depth: int) -> SourceTemplate | None:
    """Return the template of a constant with the operator or method `rest` behind it; None for any other one."""
    operator, *operand = rest
    text = template.literals[0]
    if operator == "%" and operand:
        return _percent(text, _operands(operand))
    if operator in _FORMAT and len(operand) == 1:
        return _formatted(text, _operands(operand))
    if operator in _SUBSTITUTE:
        return _substituted(text)
    if operator == ".join" and (items := _items(operand)):
        return joined([each for item in items for each in (template, _sum(item, depth + 1))][1:])
    return None


def _items(tokens: Sequence[Token]) -> list[list[Token]]:
    """Return the items of a list or tuple that is the only argument of a call; [] for any other argument."""
    for _ in range(2):
        if len(tokens) != 1 or not isinstance(tokens[0], Group):
            return []
        tokens = tokens[0].tokens
    items = _split(tokens, ",")
    return items if len(items) > 1 and not any("for" in item for item in items) else []


def _text_value(tokens: Sequence[Token], depth: int) -> tuple[SourceTemplate | None, Sequence[Token]]:
    """Return the string at the beginning of `tokens` and the tokens behind it; (None, …) if there is none.

    It may stand in parentheses, or in a call such as `_("…")` and `dedent("…")` with no other argument.
    """
    count = 0
    while count < len(tokens) and isinstance(tokens[count], Quoted):
        count += 1
    if count == 1 and isinstance(tokens[0], Quoted):
        return tokens[0].template, tokens[1:]
    if count:
        return joined(each.template for each in tokens[:count] if isinstance(each, Quoted)), tokens[count:]
    at = 1 if len(tokens) > 1 and isinstance(tokens[0], str) and tokens[0][0] not in "%+-*/." else 0
    group = tokens[at] if at < len(tokens) else None
    if not isinstance(group, Group) or group.opener != "(" or depth >= _MAX_NESTING:
        return None, tokens
    inner = _split(group.tokens, ",")
    template = _sum(inner[0], depth + 1) if len(inner) == 1 else None
    if template is None or not template.words or (at and template.holes):
        return None, tokens
    return template, tokens[at + 1 :]


def _operands(tokens: Sequence[Token]) -> list[str]:
    """Return the values of a tuple or of the arguments of a call as text; a single value as it is."""
    if len(tokens) == 1 and isinstance(tokens[0], Group) and tokens[0].opener == "(":
        return [_text(each) for each in _split(tokens[0].tokens, ",")]
    return [_text(tokens)]


def _percent(text: str, values: Sequence[str]) -> SourceTemplate:
    """Return the template of a %-format."""
    pieces: list[SourceTemplate] = []
    done = count = 0
    for found in _PERCENT.finditer(text):
        pieces.append(literal(text[done : found.start()]))
        done = found.end()
        if found["percent"]:
            pieces.append(literal("%"))
        else:
            pieces.append(hole(found["name"] or (values[count] if count < len(values) else "")))
            count += 1
    return joined((*pieces, literal(text[done:])))


def _formatted(text: str, values: Sequence[str]) -> SourceTemplate:
    """Return the template of a format of `str.format`."""
    pieces: list[SourceTemplate] = []
    done = count = 0
    for found in _FIELD.finditer(text):
        pieces.append(literal(text[done : found.start()]))
        done = found.end()
        if found["name"] is None:
            pieces.append(literal(found[0][0]))
            continue
        number = int(found["name"]) if found["name"].isdecimal() else count
        known = values[number] if number < len(values) else ""
        pieces.append(hole(known if not found["name"] or found["name"].isdecimal() else found["name"]))
        count += 1
    return joined((*pieces, literal(text[done:])))


def _substituted(text: str) -> SourceTemplate:
    """Return the template of a text of `string.Template`."""
    pieces: list[SourceTemplate] = []
    done = 0
    for found in _DOLLAR.finditer(text):
        name = found["name"] or found["braced"]
        pieces += literal(text[done : found.start()]), hole(name) if name else literal("$")
        done = found.end()
    return joined((*pieces, literal(text[done:])))


def _split(tokens: Sequence[Token], mark: str) -> list[list[Token]]:
    """Return the tokens between the `mark`s; without the empty list after a final one."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token == mark:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def _text(tokens: Sequence[Token]) -> str:
    """Return the source text of `tokens`, with spaces between them where needed."""
    return "".join(_source(token) for token in tokens).strip()


def _source(token: Token) -> str:
    if isinstance(token, Quoted):
        return token.text
    if isinstance(token, Group):
        return f"({_text(token.tokens)})"
    return f" {token} " if token in _ALTERNATIVES else token
