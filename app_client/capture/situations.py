"""Which of the seven situations of Flask's guide an exception shows: a hint for the mail's headers, with its reason.

    client gone · database overloaded · file system full · disk broken · backend overloaded · bug in a library ·
    network down

Called by the handler in the thread that logged. The exception and those it came from are asked, newest first: by
errno and HTTP status, by type (known by module and name; nothing is imported) and by the texts of databases. One of
the built-in programming errors ends the search. Where nothing is shown, nothing is said: the relay, which reads the
same from the text, is asked next. The reason quotes fixed phrases and names from code, never data of the app's.
"""

import errno
import os
import re
from collections.abc import Mapping
from itertools import islice

from app_client.capture.frames import places_of
from app_client.capture.report import chain

CLIENT_GONE, DATABASE, FULL = "client gone", "database overloaded", "file system full"
BROKEN, BACKEND, LIBRARY, NETWORK = "disk broken", "backend overloaded", "bug in a library", "network down"

_CHAIN = 8  # exceptions of a chain
_TEXT = 1000  # characters of a message
_REASON = 200

_BY_ERRNO = {
    FULL: ("ENOSPC", "EDQUOT"),
    BROKEN: ("EIO", "EROFS"),
    NETWORK: ("ECONNREFUSED", "ENETUNREACH", "ENETDOWN", "EHOSTUNREACH", "EHOSTDOWN", "ETIMEDOUT"),
}
_NUMBERS = {
    getattr(errno, name): situation
    for situation, names in _BY_ERRNO.items()
    for name in names
    if hasattr(errno, name)  # Windows lacks some
}
_NO_NAME = re.compile(
    r"Name or service not known|Temporary failure in name resolution|No address associated with hostname"
    r"|Non-recoverable failure in name resolution|nodename nor servname provided|getaddrinfo failed"
)
_OVERLOADED = (429, 502, 503, 504)  # RFC 6585 section 4, RFC 9110 section 15.6
_HTTP_CLIENTS = frozenset(
    ["urllib", "requests", "httpx", "aiohttp", "openai", "anthropic", "google", "elasticsearch", "opensearchpy"]
)

_TYPES = {
    CLIENT_GONE: """
        werkzeug.ClientDisconnected waitress.ClientDisconnected uvicorn.ClientDisconnected starlette.ClientDisconnect
        gunicorn.NoMoreData django.UnreadablePostError
    """,
    DATABASE: "psycopg_pool.PoolTimeout psycopg_pool.TooManyRequests",
    BACKEND: """
        requests.ReadTimeout urllib3.ReadTimeoutError httpx.ReadTimeout httpcore.ReadTimeout aiohttp.SocketTimeoutError
        botocore.ReadTimeoutError
    """,
    NETWORK: """
        requests.ConnectTimeout urllib3.ConnectTimeoutError urllib3.NameResolutionError httpx.ConnectTimeout
        httpcore.ConnectTimeout aiohttp.ConnectionTimeoutError aiohttp.ClientConnectorDNSError
        botocore.ConnectTimeoutError botocore.EndpointConnectionError builtins.ConnectionRefusedError
    """,
}
_BY_TYPE = {name: situation for situation, names in _TYPES.items() for name in names.split()}

_DATABASES = """
    sqlite3 pysqlite3 psycopg psycopg2 psycopg_pool asyncpg pymysql MySQLdb mysql mariadb aiomysql sqlalchemy django
    peewee oracledb cx_Oracle pyodbc
"""
_DRIVER = re.compile(r"(?:\([\w.]{1,80}\) )?(?:<class '[\w.]{1,80}'>: )?")  # SQLAlchemy's, before the driver's words
_WORDS = tuple(
    (frozenset(packages.split()), situation, re.compile(pattern))
    for packages, situation, pattern in (
        ("requests urllib3", BACKEND, r"too many (?:429|50[234]) error responses|Read timed out"),
        ("requests urllib3", NETWORK, r"Caused by ConnectTimeoutError|Failed to resolve '"),
        ("redis", BACKEND, r"^Timeout reading from "),
        ("redis", NETWORK, r"^Error (?:111|61|101|113|110|-[235]) connecting to |^Timeout connecting to server"),
        (
            "botocore",
            BACKEND,
            (
                r"^An error occurred \((?:429|50[34]|SlowDown|Throttling\w{0,30}|TooManyRequestsException"
                r"|RequestLimitExceeded|ServiceUnavailable\w{0,20}|ProvisionedThroughputExceededException)\)"
            ),
        ),
        ("builtins", CLIENT_GONE, r"^Apache/mod_wsgi (?:request data read error|failed to write response data)"),
        ("builtins", CLIENT_GONE, r"^error during read\(\d+\) on wsgi\.input"),
        (_DATABASES, DATABASE, r"^database (?:table |schema )?is locked"),
        (_DATABASES, DATABASE, r"^QueuePool limit of size \d+ overflow -?\d+ reached"),
        (_DATABASES, DATABASE, r"^(?:connection pool exhausted|Failed getting connection; pool exhausted)"),
        (_DATABASES, DATABASE, r"^canceling statement due to (?:lock|statement) timeout"),
        (
            _DATABASES,
            DATABASE,
            (
                r"(?:^|FATAL:\s{1,4})(?P<words>sorry, too many clients already|remaining connection slots are reserved"
                r"|too many connections for (?:role|database)|query_wait_timeout|no more connections allowed)"
            ),
        ),
        (_DATABASES, DATABASE, r"^\(1040, ['\"]Too many connections|^1040 \(\w{5}\): Too many connections"),
        (_DATABASES, DATABASE, r"^\(1205, ['\"]Lock wait timeout exceeded|^1205 \(\w{5}\): Lock wait timeout exceeded"),
        (_DATABASES, DATABASE, r"^\(1203, |^\(3024, |^\(1226, .{1,99}max_user_connections"),
        (_DATABASES, DATABASE, r"^\(2013, ['\"]Lost connection to MySQL server during query \(timed out\)"),
        (_DATABASES, DATABASE, r"^ORA-(?:00018|00020|12516|12519|12520)\b"),
        (_DATABASES, DATABASE, r"Lock request time out period exceeded|Query timeout expired"),
        (_DATABASES, FULL, r"^database or disk is full|^could not (?:extend|write)[^:]{0,200}: No space left"),
        (_DATABASES, FULL, r"\(Errcode: 28\b|^\(1021, "),
        (_DATABASES, BROKEN, r"^disk I/O error|^could not (?:read|write)[^:]{0,200}: Input/output error"),
        (
            _DATABASES,
            NETWORK,
            (
                r"connection to server at .{1,200} failed: "
                r"(?P<words>Connection refused|Network is unreachable|No route to host|Connection timed out"
                r"|timeout expired)"
                r"|^could not connect to server: Connection refused"
                r"|could not translate host name|^failed to resolve host|^connection timeout expired"
            ),
        ),
        (
            _DATABASES,
            NETWORK,
            r"^\(2003, .{1,200}\((?:111|61|101|113|110|timed out)\)|^\(2005, ['\"]Unknown (?:MySQL )?server host",
        ),
    )
)
"""What exceptions of these packages say: PostgreSQL's and SQLite's texts, MySQL's and Oracle's numbers."""

_ACCIDENTS: Mapping[type[BaseException], re.Pattern[str] | None] = {
    **dict.fromkeys(
        (
            ArithmeticError, BufferError, FileExistsError, FileNotFoundError, FloatingPointError, ImportError,
            IndentationError, IsADirectoryError, LookupError, MemoryError, ModuleNotFoundError, NotADirectoryError,
            NotImplementedError, OverflowError, PermissionError, RecursionError, StopIteration, SyntaxError,
            UnicodeDecodeError, UnicodeEncodeError, ValueError,
        )
    ),
    **dict.fromkeys(
        (AttributeError, IndexError, KeyError, NameError, UnboundLocalError, ZeroDivisionError), re.compile("")
    ),
    AssertionError: re.compile("$"),
    TypeError: re.compile(
        r"'NoneType' object |unsupported operand type|argument of type 'NoneType' is not|bad operand type"
        r"|'\w{1,80}' object is not (?:subscriptable|iterable)|can only concatenate|'\S{1,3}' not supported between"
    ),
}  # fmt: skip
"""Python's own programming errors, and what they say where nobody raised them on purpose; None: cannot be told."""

_TRANSPORT = re.compile(r"^std (?:socket|ssl|selectors)\.py |^gevent _(?:socket|ssl|hub)|^eventlet (?:greenio|green)/")
_READS = re.compile(r"^std (?:socket|ssl)\.py (?:readinto|read|recv|recv_into)$|^gevent _(?:socket|ssl)")
_CONNECTS = re.compile(r"^std socket\.py (?:create_connection|connect)$")
_SERVERS = re.compile(
    r"^gunicorn (?:http/|workers/|(?:util|sock)\.py)|^(?:waitress|uvicorn|hypercorn|cheroot|daphne) "
    r"|^werkzeug (?:serving|wsgi)\.py|^gevent pywsgi\.py|^eventlet wsgi\.py|^aiohttp web_"
    r"|^std (?:wsgiref/handlers|http/server|socketserver)\.py"
)
_NO_FILES = re.compile(r"inotify|watchdog|watchfiles|synchronize|\bpty|pexpect|getpass|serial|termios|fcntl")
"""Watches, semaphores and terminals fail with the numbers of files and disks."""


def situation_of(exception: BaseException) -> tuple[str, str] | None:
    """The situation that an exception shows and by what, such as `OperationalError: database is locked`; or None."""
    for link in islice(chain(exception), _CHAIN):
        if type(link) in _ACCIDENTS or type(link).__name__ == "JSONDecodeError":
            return _library_bug(link)
        seen = _Seen(link)
        if found := _by_status(seen) or _by_number(seen) or _by_place(seen) or _by_type(seen) or _by_words(seen):
            situation, phrase = found
            name = type(link).__name__
            return situation, (f"{name}: {phrase}" if phrase else name)[:_REASON]
        if isinstance(link, OSError) and seen.text.startswith("[Errno"):
            return None  # trouble of its own, and none of the seven
    return None


class _Seen:
    """What an exception shows of itself, looked up once."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        kinds = [kind for kind in type(error).__mro__ if kind not in (Exception, BaseException, object)]
        self.names = [(kind.__module__.partition(".")[0], kind.__name__) for kind in kinds]
        self.packages = {package for package, _ in self.names}
        self.text = _DRIVER.sub("", _first_line(error), count=1)
        self.places = places_of(error)
        self.innermost = str(self.places[-1]) if self.places else ""
        self.user = next((place for place in map(str, reversed(self.places)) if not _TRANSPORT.match(place)), "")


Found = tuple[str, str] | None
"""A situation and the words that told it."""


def _by_status(seen: _Seen) -> Found:
    if seen.packages.isdisjoint(_HTTP_CLIENTS):
        return None
    for holder in (seen.error, getattr(seen.error, "response", None)):
        for name in ("code", "status", "status_code"):
            if (status := getattr(holder, name, None)) in _OVERLOADED:
                return BACKEND, f"HTTP {int(status)}"
    return None


def _by_number(seen: _Seen) -> Found:
    error = seen.error
    if not isinstance(error, OSError) or not isinstance(error.errno, int):
        return None
    official = os.strerror(error.errno)
    if ("socket", "gaierror") in seen.names:
        words = _NO_NAME.search(str(error.strerror))
        return (NETWORK, f"[Errno {error.errno}] {words[0]}") if words else None
    situation = _NUMBERS.get(error.errno)
    if situation in (FULL, BROKEN) and (error.strerror != official or _NO_FILES.search(seen.innermost)):
        return None
    return (situation, f"[Errno {error.errno}] {official}") if situation else None


def _by_place(seen: _Seen) -> Found:
    """Connections: who was at the other end, and was it there at all?"""
    if isinstance(seen.error, BrokenPipeError | ConnectionResetError | ConnectionAbortedError):
        return (CLIENT_GONE, seen.text.partition(":")[0][:60]) if _SERVERS.match(seen.user) else None
    if isinstance(seen.error, TimeoutError) and seen.text in ("timed out", "The read operation timed out"):
        if _CONNECTS.match(seen.innermost):
            return NETWORK, seen.text
        if _READS.match(seen.innermost) and not _SERVERS.match(seen.user):
            return BACKEND, seen.text
    return None


def _by_type(seen: _Seen) -> Found:
    situations = (_BY_TYPE.get(f"{package}.{name}") for package, name in seen.names)
    return next(((situation, "") for situation in situations if situation), None)


def _by_words(seen: _Seen) -> Found:
    for packages, situation, pattern in _WORDS:
        if not seen.packages.isdisjoint(packages) and (match := pattern.search(seen.text)):
            return situation, match.groupdict().get("words") or match[0].strip(" :")
    return None


def _library_bug(error: BaseException) -> Found:
    """A programming error that arose in a package of others, not at the hand of the app.

    An error raised on purpose tells of its caller's mistake, and so does one of a lookup that the app began,
    `table["x"]`. Where the app itself may be installed as a package, nothing is said.
    """
    accident = _ACCIDENTS.get(type(error))
    places = places_of(error)
    own = [number for number, place in enumerate(places) if place.package == "app"]
    if not own or accident is None or not accident.match(_first_line(error)):
        return None
    innermost, entered = places[-1], places[min(own[-1] + 1, len(places) - 1)].function
    if not innermost.foreign or entered.startswith("__") or innermost.function.startswith("__get"):
        return None
    return LIBRARY, f"{type(error).__name__} in {innermost.function} ({innermost.tail})"[:_REASON]


def _first_line(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT].partition("\n")[0]
    except Exception:  # noqa: BLE001 - the app's own class may fail at anything
        return ""
