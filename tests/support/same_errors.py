"""Texts that report the same error, and whether two of them do."""

from relay.grouping.fingerprint import fingerprint
from relay.parse.report import parse_text
from relay.redact import redact


def fingerprint_of(text, subject="x"):
    return fingerprint(redact(parse_text(subject, text)), steps=True)


def same_error(one, other):
    return fingerprint_of(one).key == fingerprint_of(other).key


def raised(error):
    return f'Traceback (most recent call last):\n  File "/srv/shop/shop/cart.py", line 5, in total\n    x()\n{error}'


REWORDED = [
    ("asyncio.exceptions.TimeoutError", "TimeoutError"),
    ("socket.timeout: timed out", "TimeoutError: timed out"),
    ("re.error: missing ) at position 4", "re.PatternError: missing ) at position 4"),
    ("SyntaxError: invalid syntax", "SyntaxError: expected ':'"),
    ("NameError: name 'totl' is not defined", "NameError: name 'totl' is not defined. Did you mean: 'total'?"),
    ("NameError: name 'io' is not defined", "NameError: name 'io' is not defined. Did you forget to import 'io'?"),
    (
        "AttributeError: module 'random' has no attribute 'x'",
        "AttributeError: module 'random' has no attribute 'x' (consider renaming 'random.py' since so is json)",
    ),
    ("TypeError: add() missing 1 required positional argument: 'x'",
     "TypeError: Cart.add() missing 1 required positional argument: 'x'"),
    ("AttributeError: can't set attribute", "AttributeError: can't set attribute 'price'"),
    ("AttributeError: can't set attribute", "AttributeError: property 'price' of 'Item' object has no setter"),
    ("AttributeError: can't delete attribute", "AttributeError: property 'price' of 'Item' object has no deleter"),
    ("AttributeError: unreadable attribute", "AttributeError: unreadable attribute 'price'"),
    ("AttributeError: unreadable attribute", "AttributeError: property 'price' of 'Item' object has no getter"),
    ("UnboundLocalError: local variable 'x' referenced before assignment",
     "UnboundLocalError: cannot access local variable 'x' where it is not associated with a value"),
    ("NameError: free variable 'x' referenced before assignment in enclosing scope",
     "NameError: cannot access free variable 'x' where it is not associated with a value in enclosing scope"),
    ("TypeError: Can't instantiate abstract class Cart with abstract methods add",
     "TypeError: Can't instantiate abstract class Cart without an implementation for abstract method 'add'"),
    ("TypeError: int() argument must be a string, a bytes-like object or a number, not 'list'",
     "TypeError: int() argument must be a string, a bytes-like object or a real number, not 'list'"),
    ("TypeError: unhashable type: 'list'", "TypeError: cannot use 'list' as a dict key (unhashable type: 'list')"),
    ("ZeroDivisionError: integer division or modulo by zero", "ZeroDivisionError: division by zero"),
    ("RecursionError: maximum recursion depth exceeded in comparison",
     "RecursionError: maximum recursion depth exceeded"),
    ("json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 8 (char 7)",
     "json.decoder.JSONDecodeError: Illegal trailing comma before end of object: line 1 column 7 (char 6)"),
    ("json.decoder.JSONDecodeError: Expecting value: line 1 column 4 (char 3)",
     "json.decoder.JSONDecodeError: Illegal trailing comma before end of array: line 1 column 3 (char 2)"),
]  # fmt: skip
"""What one version of Python printed, and another."""


EQUAL_MESSAGES = [
    ("lost [1, 2, 3] here", "lost [40] here"),
    ("lost [1, 2, 3] here", "lost [] here"),
    ('got {"user": "ada", "n": 3} here', 'got {"n": [1, {"a": "]"}], "user": "bo"} here'),
    ("got {'a': \"it's\"} here", "got {} here"),
    ('got {"cut": "off in the mid', 'got {"cut": [1, 2'),
    ("delete blk_1 now", "delete blk_-1 blk_22 blk_333 now"),
    ("ids: 1, 2, 3", "ids: 7"),
    ("1 error in 1 file", "3 errors in 2 files"),
    ('lost: {"message": "item 5 is gone", "n": 1}', 'lost: {"message": "item 7 is gone", "m": [1]}'),
    ("VALUES (7660, 'a')", "VALUES (5726, 'b')"),
    ('by err="a \\"b\\" c", id=5', 'by err="a \\"d e\\" c", id=7'),
    ("md4 : active", "md0 : active"),
    ("at Mar 07 08:15:00 web-1 systemd[7]: failed", "at Mar 08 08:15:00 db-2 systemd[9]: failed"),
    ("since 05-Mar-2025::08:15:00", "since 06-Mar-2025::08:16:00"),
    ("had 1 failed job", "had 3 failed jobs"),
    ("1 row was lost", "7 rows were lost"),
    ("Full:\ndisk  used  of\na  1  2", "Full:\ndisk  used  of\nb c  3  4\nd  5  6"),
    ("retry at 10.0.0.1", "retry at db.example.org"),
    ("no reply to sqlite3@example.org", "no reply to ada@example.org"),
    ("host down at 10.0.0.1 (db.example.org)", "host down at 10.0.0.1 ()"),
    ("a  b\tc", "a b c"),
    ("token [masked] is bad", "token 'abc' is bad"),
    ("key session:b[masked]7 is bad", "key session:4711 is bad"),
    ('token "abc" is bad', 'token ..."bc d"... is bad'),
    ("https://ada:pw@example.org/x is down", "https://[masked]@example.org/x is down"),
    ("see https://example.org/?token=abc&x=1 now", "see https://example.org/?token=[masked]&x=2 now"),
]
