"""Detect which of the seven situations of Flask's guide an exception shows: a hint with a reason, for mail headers.

    client gone · database overloaded · file system full · disk broken · backend overloaded · bug in a library ·
    network down

Called by the handler in the thread that logged. It examines the exception and its causes, newest first: errno and HTTP
status, type (by module and name; nothing is imported) and the error texts of databases. A built-in programming error
ends the search. Without a result the mail has no header, and the relay decides from the text. The reason consists of
fixed phrases and names from code. It never contains data of the app.
"""

import errno
import os
import re
from collections.abc import Mapping
from itertools import islice

from app_client.capture.frames import code_locations
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
_DRIVER = re.compile(r"(?:\([\w.]{1,80}\) )?(?:<class '[\w.]{1,80}'>: )?")  # SQLAlchemy's prefix of a driver's text
_BY_TEXT = tuple(
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
                r"(?:^|FATAL:\s{1,4})(?P<phrase>sorry, too many clients already|remaining connection slots are reserved"
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
                r"(?P<phrase>Connection refused|Network is unreachable|No route to host|Connection timed out"
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
"""Packages, situation, and a pattern for error texts: texts of PostgreSQL and SQLite, codes of MySQL and Oracle."""

_PROGRAMMING_ERRORS: Mapping[type[BaseException], re.Pattern[str] | None] = {
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
"""Python's programming errors, and the texts with which the interpreter raises them.

None: the text does not show whether the interpreter or a `raise` statement raised it.
"""

_TRANSPORT = re.compile(r"^std (?:socket|ssl|selectors)\.py |^gevent _(?:socket|ssl|hub)|^eventlet (?:greenio|green)/")
_READS = re.compile(r"^std (?:socket|ssl)\.py (?:readinto|read|recv|recv_into)$|^gevent _(?:socket|ssl)")
_CONNECTS = re.compile(r"^std socket\.py (?:create_connection|connect)$")
_SERVERS = re.compile(
    r"^gunicorn (?:http/|workers/|(?:util|sock)\.py)|^(?:waitress|uvicorn|hypercorn|cheroot|daphne) "
    r"|^werkzeug (?:serving|wsgi)\.py|^gevent pywsgi\.py|^eventlet wsgi\.py|^aiohttp web_"
    r"|^std (?:wsgiref/handlers|http/server|socketserver)\.py"
)
_NO_FILES = re.compile(r"inotify|watchdog|watchfiles|synchronize|\bpty|pexpect|getpass|serial|termios|fcntl")
"""Code of file watches, semaphores and terminals, which fail with the same errno values as files and disks."""


def situation_of(exception: BaseException) -> tuple[str, str] | None:
    """Return the situation of an exception and a reason such as `OperationalError: database is locked`, or None."""
    for link in islice(chain(exception), _CHAIN):
        if type(link) in _PROGRAMMING_ERRORS or type(link).__name__ == "JSONDecodeError":
            return _library_bug(link)
        evidence = _Evidence(link)
        found = (
            _by_status(evidence)
            or _by_number(evidence)
            or _by_location(evidence)
            or _by_type(evidence)
            or _by_text(evidence)
        )
        if found:
            situation, phrase = found
            name = type(link).__name__
            return situation, (f"{name}: {phrase}" if phrase else name)[:_REASON]
        if isinstance(link, OSError) and evidence.text.startswith("[Errno"):
            return None  # an operating system error that is none of the seven situations
    return None


class _Evidence:
    """The properties of an exception that decide the situation, computed once."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        kinds = [kind for kind in type(error).__mro__ if kind not in (Exception, BaseException, object)]
        self.names = [(kind.__module__.partition(".")[0], kind.__name__) for kind in kinds]
        self.packages = {package for package, _ in self.names}
        self.text = _DRIVER.sub("", _first_line(error), count=1)
        self.locations = code_locations(error)
        self.innermost = str(self.locations[-1]) if self.locations else ""
        outwards = map(str, reversed(self.locations))
        self.caller = next((location for location in outwards if not _TRANSPORT.match(location)), "")
        """The innermost frame that is not part of the socket layer."""


Found = tuple[str, str] | None
"""A situation and the phrase that shows it."""


def _by_status(evidence: _Evidence) -> Found:
    if evidence.packages.isdisjoint(_HTTP_CLIENTS):
        return None
    for holder in (evidence.error, getattr(evidence.error, "response", None)):
        for name in ("code", "status", "status_code"):
            if (status := getattr(holder, name, None)) in _OVERLOADED:
                return BACKEND, f"HTTP {int(status)}"
    return None


def _by_number(evidence: _Evidence) -> Found:
    error = evidence.error
    if not isinstance(error, OSError) or not isinstance(error.errno, int):
        return None
    official = os.strerror(error.errno)
    if ("socket", "gaierror") in evidence.names:
        phrase = _NO_NAME.search(str(error.strerror))
        return (NETWORK, f"[Errno {error.errno}] {phrase[0]}") if phrase else None
    situation = _NUMBERS.get(error.errno)
    if situation in (FULL, BROKEN) and (error.strerror != official or _NO_FILES.search(evidence.innermost)):
        return None
    return (situation, f"[Errno {error.errno}] {official}") if situation else None


def _by_location(evidence: _Evidence) -> Found:
    """Classify failed connections by the code that used them: a server, or a client of a backend."""
    if isinstance(evidence.error, BrokenPipeError | ConnectionResetError | ConnectionAbortedError):
        return (CLIENT_GONE, evidence.text.partition(":")[0][:60]) if _SERVERS.match(evidence.caller) else None
    if isinstance(evidence.error, TimeoutError) and evidence.text in ("timed out", "The read operation timed out"):
        if _CONNECTS.match(evidence.innermost):
            return NETWORK, evidence.text
        if _READS.match(evidence.innermost) and not _SERVERS.match(evidence.caller):
            return BACKEND, evidence.text
    return None


def _by_type(evidence: _Evidence) -> Found:
    situations = (_BY_TYPE.get(f"{package}.{name}") for package, name in evidence.names)
    return next(((situation, "") for situation in situations if situation), None)


def _by_text(evidence: _Evidence) -> Found:
    for packages, situation, pattern in _BY_TEXT:
        if not evidence.packages.isdisjoint(packages) and (match := pattern.search(evidence.text)):
            return situation, match.groupdict().get("phrase") or match[0].strip(" :")
    return None


def _library_bug(error: BaseException) -> Found:
    """Return LIBRARY for a programming error inside an installed package that the app did not cause.

    An error that is raised on purpose reports a mistake of the caller. So does an error in a lookup that the app began,
    such as `table["x"]`. Returns None where the app itself may be installed as a package.
    """
    interpreter_text = _PROGRAMMING_ERRORS.get(type(error))
    locations = code_locations(error)
    own = [number for number, location in enumerate(locations) if location.package == "app"]
    if not own or interpreter_text is None or not interpreter_text.match(_first_line(error)):
        return None
    innermost, entered = locations[-1], locations[min(own[-1] + 1, len(locations) - 1)].function
    if not innermost.foreign or entered.startswith("__") or innermost.function.startswith("__get"):
        return None
    return LIBRARY, f"{type(error).__name__} in {innermost.function} ({innermost.tail})"[:_REASON]


def _first_line(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT].partition("\n")[0]
    except Exception:  # noqa: BLE001 - a class of the app may raise here
        return ""
