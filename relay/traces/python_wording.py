"""Normalize the wording of Python's own error messages across versions 3.8 to 3.14 (used by `fingerprint`).

After an upgrade of the interpreter, the same error must keep its fingerprint. The table contains only messages of
Python itself, taken from its "What's New" pages and sources. Messages of apps and libraries are not changed.
"""

from __future__ import annotations

import re

_ALIASES = {
    "asyncio.exceptions.TimeoutError": "TimeoutError",
    "asyncio.TimeoutError": "TimeoutError",
    "concurrent.futures._base.TimeoutError": "TimeoutError",
    "concurrent.futures.TimeoutError": "TimeoutError",
    "socket.timeout": "TimeoutError",
    "re.PatternError": "re.error",
}
"""Classes that became aliases of a built-in class (3.10, 3.11) or were renamed (3.13)."""

_PARSER_ERRORS = frozenset(("SyntaxError", "IndentationError", "TabError"))
"""Errors whose messages changed with the parser of 3.9 and change with each version. Their location identifies them."""

_SUGGESTION = re.compile(r"[.?;]? (?:Or did|Did) you (?:mean|forget to import)\b.*$| \(consider renaming .*\)$")
"""Suggestions that Python 3.10 and later add."""
_QUALIFIED = re.compile(r"^(?:[\w<>]{1,100}\.){1,10}(?=\w{1,100}\(\) (?:missing|takes|got|argument|keywords) )")
"""The class in `Cart.add() missing …`; up to 3.9 the message is `add() missing …`."""
_REWORDED: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (type_, re.compile(pattern), text)
    for type_, pattern, text in (
        ("AttributeError", r"(?:property .* has no setter|can't set attribute '\w{1,200}')$",
         "can't set attribute"),
        (
            "AttributeError",
            r"(?:property .* object has no deleter|can't delete attribute '\w{1,200}')$",
            "can't delete attribute",
        ),
        ("AttributeError", r"property .* of .* object has no getter$", "unreadable attribute"),
        ("AttributeError", r"unreadable attribute '\w{1,200}'$", "unreadable attribute"),
        (
            "UnboundLocalError",
            r"cannot access local variable ('\w{1,200}') where it is not associated with a value$",
            r"local variable \1 referenced before assignment",
        ),
        (
            "NameError",
            r"cannot access free variable ('\w{1,200}') where it is not associated with a value in enclosing scope$",
            r"free variable \1 referenced before assignment in enclosing scope",
        ),
        ("TypeError", r"(Can't instantiate abstract class \w{1,200}) with(?:out)? .*$", r"\1"),
        ("TypeError", r"((?:int|float|complex)\(\) argument must be a string.*) or a number, ",
         r"\1 or a real number, "),
        ("TypeError", r"cannot use '.{1,100}' as a (?:dict key|set element) \((unhashable type: '.{1,100}')\)$", r"\1"),
        ("ZeroDivisionError", r"(?:integer |float )?(?:floor )?(?:division|modulo|divmod\(\))(?: or modulo)? by zero$",
         "division by zero"),
        ("RecursionError", r"maximum recursion depth exceeded.*$", "maximum recursion depth exceeded"),
        ("JSONDecodeError", r"Illegal trailing comma before end of object",
         "Expecting property name enclosed in double quotes"),
        ("JSONDecodeError", r"Illegal trailing comma before end of array", "Expecting value"),
    )
)  # fmt: skip


def normalize_wording(type_: str, message: str) -> tuple[str, str]:
    """Return the type and the message (one line) of a Python exception in the wording that all versions share."""
    type_ = _ALIASES.get(type_, type_)
    if type_ in _PARSER_ERRORS:
        return type_, ""
    if " you " in message or "(consider " in message:
        message = _SUGGESTION.sub("", message, count=1)
    if type_ == "TypeError":
        message = _QUALIFIED.sub("", message, count=1)
    last = type_.rpartition(".")[2]
    for of_type, pattern, text in _REWORDED:
        if of_type == last and (match := pattern.match(message)):
            return type_, match.expand(text) + message[match.end() :]
    return type_, message
