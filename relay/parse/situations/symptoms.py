"""The table: by which exception, saying what, where, a situation is told.

Sources are the libraries' own texts: SQLite's and PostgreSQL's messages, MySQL's and Oracle's error numbers, errno(3)
and gai_strerror(3), RFC 9110 (503, 504, 502) and RFC 6585 (429). Where a text could mean two things it is not here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from relay.model import Situation


class Symptom(NamedTuple):
    """One row. All that is set must hold; places are `package file function`."""

    situation: Situation
    types: str
    """The exception, with its module, as printed."""
    says: str = ""
    """Words of the first line of its message, without what SQLAlchemy puts before it."""
    user: str = ""
    """The innermost place that does not merely carry bytes; "" where that is not known."""
    at: str = ""
    """Where it was raised; "" where that is not known."""
    not_at: str = ""

    def compiled(self) -> CompiledSymptom:
        """The row, ready to be asked."""
        return CompiledSymptom(self.situation, *(re.compile(text) if text else None for text in self[1:]))


class CompiledSymptom(NamedTuple):
    """A row with its patterns: `types`, `user` and `at` from the beginning, `says` and `not_at` anywhere."""

    situation: Situation
    types: re.Pattern[str] | None
    says: re.Pattern[str] | None
    user: re.Pattern[str] | None
    at: re.Pattern[str] | None
    not_at: re.Pattern[str] | None

    def phrase(self, text: str) -> str | None:
        """The words of `text` that match, `HTTP 503` for a status, "" where they do not matter; None for others."""
        if self.says is None:
            return ""
        if (match := self.says.search(text)) is None:
            return None
        parts = match.groupdict()
        return f"HTTP {parts['status']}" if "status" in parts else parts.get("words") or match[0].strip(" :")

    def is_there(self, innermost: str, user: str) -> bool:
        """Whether it is raised and used where the row says."""
        return not (
            (self.user and not self.user.match(user))
            or (self.at and not self.at.match(innermost))
            or (self.not_at and self.not_at.search(innermost))
        )


# --- Words ------------------------------------------------------------------------------------------------------------

_CODE = r"(?P<status>429|50[234])\b"
_ERRNO = r"(?<![^\s(\[<]\[)Errno -?\d{1,5}\] "
_END = r"(?=$|: |[)>,.'\"\]])"
_FULL = rf"\[(?:{_ERRNO}(?:No space left on device|Disk quota exceeded){_END}|WinError (?:112|39)\])"
_BROKEN = rf"\[(?:{_ERRNO}(?:Input/output error|Read-only file system){_END}|WinError (?:19|1117)\])"
_DOWN = (
    rf"\[(?:{_ERRNO}(?:Connection refused|Connect call failed|Network is (?:unreachable|down)|No route to host"
    r"|Host is down|Connection timed out|Operation timed out|Name or service not known"
    r"|Temporary failure in name resolution|No address associated with hostname"
    r"|Non-recoverable failure in name resolution|nodename nor servname provided, or not known|getaddrinfo failed)"
    r"(?=$| \(|: |[)>,.'\"\]])|WinError (?:10051|10060|10061|10065|1231)\])"
)
"""They begin with the bracket, since a pattern that begins with a letter is found fastest."""

# --- Who says them ----------------------------------------------------------------------------------------------------

_DATABASES = (
    r"(?:sqlite3|pysqlite3|psycopg2?|psycopg_pool|asyncpg|pymysql|MySQLdb|mysql|mariadb|aiomysql|sqlalchemy|django\.db"
    r"|peewee|oracledb|cx_Oracle|pyodbc)\."
)
_HTTP = r"(?:requests|urllib3|pip\._vendor\.urllib3|elastic_transport|elasticsearch|opensearchpy|botocore)\."
_OS = r"(?:OSError|IOError|TimeoutError|socket\.timeout|\w*\.?gaierror)$"
_SERVERS = (
    r"gunicorn (?:http/|workers/|gunicorn/(?:util|sock)\.py)|waitress |uvicorn |hypercorn |cheroot |daphne "
    r"|werkzeug werkzeug/(?:serving|wsgi)\.py|gevent gevent/pywsgi\.py|eventlet eventlet/wsgi\.py"
    r"|std \S*(?:wsgiref/handlers|http/server|socketserver)\.py|aiohttp aiohttp/web_"
)
_READS = r"std \S*(?:socket|ssl)\.py (?:readinto|read|recv|recv_into)$|gevent gevent/_(?:socket|ssl)\S* "

_GONE, _DATABASE, _BACKEND = Situation.CLIENT_GONE, Situation.DATABASE_OVERLOADED, Situation.BACKEND_OVERLOADED
_FULL_DISK, _BROKEN_DISK, _NETWORK = Situation.FILE_SYSTEM_FULL, Situation.DISK_BROKEN, Situation.NETWORK_DOWN

_TABLE = (
    # The client hung up: a server says so, or it was a server that read from or wrote to it.
    Symptom(
        _GONE, r"(?:werkzeug|waitress|uvicorn)\.(?:\w+\.)*ClientDisconnected$|starlette\.requests\.ClientDisconnect$"
    ),
    Symptom(_GONE, r"gunicorn\.http\.errors\.NoMoreData$|django\.http\.request\.UnreadablePostError$"),
    Symptom(
        _GONE, r"(?:OSError|IOError)$", r"^Apache/mod_wsgi (?:request data read error|failed to write response data)"
    ),
    Symptom(_GONE, r"(?:OSError|IOError)$", r"^error during read\(\d+\) on wsgi\.input"),
    Symptom(_GONE, r"(?:BrokenPipeError|ConnectionResetError|ConnectionAbortedError)$", r"^[^:]{0,60}", user=_SERVERS),
    # Databases: too many at once, or a lock that is held for too long. A deadlock is a bug, not load.
    Symptom(_DATABASE, _DATABASES, r"^database (?:table |schema )?is locked"),
    Symptom(_DATABASE, r"sqlalchemy\.", r"^QueuePool limit of size \d+ overflow -?\d+ reached"),
    Symptom(_DATABASE, r"psycopg_pool\.PoolTimeout$", r"^couldn't get a connection after [\d.]+ sec"),
    Symptom(_DATABASE, r"psycopg_pool\.TooManyRequests$"),
    Symptom(_DATABASE, r"psycopg2\.pool\.PoolError$|mysql\.", r"(?:connection )?pool exhausted"),
    Symptom(_DATABASE, _DATABASES, r"^canceling statement due to (?:lock|statement) timeout"),
    Symptom(
        _DATABASE,
        _DATABASES,
        r"(?:^|FATAL:\s{1,4})(?P<words>sorry, too many clients already|remaining connection slots are reserved"
        r"|too many connections for (?:role|database)|query_wait_timeout|no more connections allowed)",
    ),
    Symptom(_DATABASE, _DATABASES, r"^\(1040, ['\"]Too many connections|^1040 \(\w{5}\): Too many connections"),
    Symptom(
        _DATABASE, _DATABASES, r"^\(1205, ['\"]Lock wait timeout exceeded|^1205 \(\w{5}\): Lock wait timeout exceeded"
    ),
    Symptom(_DATABASE, _DATABASES, r"^\(1203, |^\(3024, |^\(1226, .{1,99}max_user_connections"),
    Symptom(_DATABASE, _DATABASES, r"^\(2013, ['\"]Lost connection to MySQL server during query \(timed out\)"),
    Symptom(_DATABASE, r"(?:oracledb|cx_Oracle|sqlalchemy)\.", r"^ORA-(?:00018|00020|12516|12519|12520)\b"),
    Symptom(_DATABASE, r"(?:pyodbc|sqlalchemy)\.", r"Lock request time out period exceeded|Query timeout expired"),
    # Disks, and the database's disks.
    Symptom(_FULL_DISK, _DATABASES, r"^database or disk is full|^could not (?:extend|write)[^:]{0,200}: No space left"),
    Symptom(_FULL_DISK, _DATABASES, r"\(Errcode: 28\b|^\(1021, "),
    Symptom(_FULL_DISK, "", _FULL, not_at="inotify|watchdog|watchfiles|synchronize"),
    Symptom(_BROKEN_DISK, _DATABASES, r"^disk I/O error|^could not (?:read|write)[^:]{0,200}: Input/output error"),
    Symptom(_BROKEN_DISK, "", _BROKEN, not_at=r"\bpty|pexpect|getpass|serial|termios|fcntl"),
    # Backends: they are there, and say that they cannot, or say nothing in time.
    Symptom(_BACKEND, r"urllib\.error\.HTTPError$", r"^HTTP Error " + _CODE),
    Symptom(_BACKEND, r"requests\.(?:\w+\.)?HTTPError$", rf"^{_CODE} (?:Server|Client) Error"),
    Symptom(_BACKEND, r"httpx\.(?:\w+\.)?HTTPStatusError$", rf"^(?:Server|Client) error '{_CODE}"),
    Symptom(_BACKEND, r"aiohttp\.\S*(?:ClientResponseError|HandshakeError)$", rf"^{_CODE}, message="),
    Symptom(_BACKEND, r"google\.api_core\.", rf"^{_CODE} "),
    Symptom(_BACKEND, r"(?:openai|anthropic)\.", rf"^Error code: {_CODE}"),
    Symptom(
        _BACKEND,
        r"botocore\.",
        r"^An error occurred \((?:429|50[34]|SlowDown|Throttling\w{0,30}|TooManyRequestsException|RequestLimitExceeded"
        r"|ServiceUnavailable\w{0,20}|ProvisionedThroughputExceededException)\)",
    ),
    Symptom(_BACKEND, r"(?:elasticsearch|opensearchpy)\.", rf"^(?:\w{{1,40}})?\({_CODE},"),
    Symptom(_BACKEND, _HTTP, rf"too many {_CODE} error responses"),
    Symptom(_BACKEND, _HTTP, r"Read timed out|Read timeout on endpoint URL"),
    Symptom(_BACKEND, r"(?:requests|httpx|httpcore)\.(?:\w+\.)*ReadTimeout$"),
    Symptom(_BACKEND, r"aiohttp\.", r"^Timeout on reading data from socket"),
    Symptom(_BACKEND, r"redis\.", r"^Timeout reading from "),
    Symptom(_BACKEND, _OS, r"^(?:timed out|The read operation timed out)$", user=rf"(?!{_SERVERS})", at=_READS),
    # The network: no name, nobody there, or no way to get there. A database that refuses is away, not overloaded.
    Symptom(_NETWORK, "", _DOWN),
    Symptom(_NETWORK, r"ConnectionRefusedError$"),
    Symptom(_NETWORK, r"urllib\.error\.URLError$", r"^<urlopen error timed out>"),
    Symptom(_NETWORK, _OS, r"^timed out$", at=r"std \S*socket\.py (?:create_connection|connect)$"),
    Symptom(_NETWORK, r"(?:requests|httpx|httpcore|urllib3|botocore)\.(?:\w+\.)*ConnectTimeout(?:Error)?$"),
    Symptom(
        _NETWORK, _HTTP, r"Caused by ConnectTimeoutError|Failed to resolve '|^Could not connect to the endpoint URL"
    ),
    Symptom(_NETWORK, r"httpx\.(?:\w+\.)?ConnectError$|httpcore\.", r"^All connection attempts failed"),
    Symptom(_NETWORK, r"aiohttp\.\S*(?:ClientConnectorDNSError|ConnectionTimeoutError)$"),
    Symptom(
        _NETWORK,
        r"aiohttp\.\S*ClientConnectorError$",
        r"\[(?:Connect call failed|Connection refused|Name or service not known|Temporary failure in name resolution"
        r"|Network is unreachable|No route to host|Multiple exceptions: \[Errno)",
    ),
    Symptom(_NETWORK, r"redis\.", r"^Error (?:111|61|101|113|110|-[235]) connecting to |^Timeout connecting to server"),
    Symptom(_NETWORK, r"paramiko\.", r"Unable to connect to port \d+"),
    Symptom(
        _NETWORK,
        _DATABASES,
        r"connection to server at .{1,200} failed: (?P<words>Connection refused|Network is unreachable|No route to host"
        r"|Connection timed out|timeout expired)|^could not connect to server: Connection refused"
        r"|could not translate host name|^failed to resolve host|^connection timeout expired",
    ),
    Symptom(
        _NETWORK,
        _DATABASES,
        r"^\(2003, .{1,200}\((?:111|61|101|113|110|timed out)\)|^\(2005, ['\"]Unknown (?:MySQL )?server host",
    ),
)
_SYMPTOMS = tuple(symptom.compiled() for symptom in _TABLE)
_MAX_TYPE = 200
"""Characters of a type whose rows are kept in memory; with the number of types this bounds it."""


def symptoms_of(type_: str) -> Sequence[CompiledSymptom]:
    """The rows that an exception of this type may show, in order: the first that holds decides."""
    return _kept_rows(type_) if len(type_) <= _MAX_TYPE else _rows(type_)


@lru_cache(maxsize=512)
def _kept_rows(type_: str) -> Sequence[CompiledSymptom]:
    return _rows(type_)


def _rows(type_: str) -> Sequence[CompiledSymptom]:
    return tuple(symptom for symptom in _SYMPTOMS if not symptom.types or symptom.types.match(type_))


LOGGED = (
    (_FULL_DISK, re.compile(_FULL)),
    (_BROKEN_DISK, re.compile(_BROKEN)),
    (_NETWORK, re.compile(_DOWN)),
    (_DATABASE, re.compile(r"QueuePool limit of size \d+ overflow -?\d+ reached, connection timed out")),
    (_BACKEND, re.compile(r"HTTPS?ConnectionPool\(host=[^)]{1,200}\): Read timed out")),
)
"""Words that tell without their exception's type, as `logger.error("…: %s", error)` writes them."""

ACCIDENTS: Mapping[str, re.Pattern[str] | None] = {
    **dict.fromkeys(
        (
            "ArithmeticError", "BufferError", "FileExistsError", "FileNotFoundError", "FloatingPointError",
            "ImportError", "IndentationError", "IsADirectoryError", "JSONDecodeError", "LookupError", "MemoryError",
            "ModuleNotFoundError", "NotADirectoryError", "NotImplementedError", "OverflowError", "PermissionError",
            "RecursionError", "StopIteration", "SyntaxError", "UnicodeDecodeError", "UnicodeEncodeError", "ValueError",
        )
    ),
    **dict.fromkeys(("AttributeError", "IndexError", "KeyError", "ZeroDivisionError"), re.compile("")),
    **dict.fromkeys(("NameError", "UnboundLocalError"), re.compile("")),
    "AssertionError": re.compile("$"),
    "TypeError": re.compile(
        r"'NoneType' object |unsupported operand type|argument of type 'NoneType' is not|bad operand type"
        r"|'\w{1,80}' object is not (?:subscriptable|iterable)|can only concatenate|'\S{1,3}' not supported between"
    ),
}  # fmt: skip
"""Python's own programming errors, and what they say where nobody raised them on purpose; None: cannot be told."""
