"""The table of symptoms: which exception, with which message and at which location, shows which situation.

The messages are those of the libraries: messages of SQLite and PostgreSQL, error numbers of MySQL and Oracle, errno(3),
gai_strerror(3), RFC 9110 (503, 504, 502) and RFC 6585 (429). Ambiguous messages are not in the table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from relay.model import Situation


class Symptom(NamedTuple):
    """One row of the table: a situation, and what an exception must match; "" is not checked.

    Places have the form `package file function`; an unknown place is "".
    """

    situation: Situation
    types: str
    """The type of the exception with its module, as printed."""
    message: str = ""
    """Text in the first line of its message, without the prefix of SQLAlchemy."""
    caller: str = ""
    """The innermost frame whose module does more than transport bytes (so not `socket` or `ssl`)."""
    at: str = ""
    """The innermost frame: where it was raised."""
    not_at: str = ""
    """As `at`, but it must not match."""

    def compiled(self) -> CompiledSymptom:
        """Return the row with compiled patterns."""
        return CompiledSymptom(self.situation, *(re.compile(text) if text else None for text in self[1:]))


class CompiledSymptom(NamedTuple):
    """A compiled row. `types`, `caller` and `at` match at the beginning; `message` and `not_at` match anywhere."""

    situation: Situation
    types: re.Pattern[str] | None
    message: re.Pattern[str] | None
    caller: re.Pattern[str] | None
    at: re.Pattern[str] | None
    not_at: re.Pattern[str] | None

    def phrase(self, text: str) -> str | None:
        """Return what the row finds in the message `text`, or None if the row does not match it.

        A status becomes `HTTP 503`. "" if the row allows any message.
        """
        if self.message is None:
            return ""
        if (match := self.message.search(text)) is None:
            return None
        parts = match.groupdict()
        return f"HTTP {parts['status']}" if "status" in parts else parts.get("phrase") or match[0].strip(" :")

    def matches_frames(self, innermost: str, caller: str) -> bool:
        """Return True if the row allows the place that raised the exception (`innermost`) and the `caller`."""
        return not (
            (self.caller and not self.caller.match(caller))
            or (self.at and not self.at.match(innermost))
            or (self.not_at and self.not_at.search(innermost))
        )


# --- Messages ---------------------------------------------------------------------------------------------------------

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
"""These patterns begin with the bracket, because a search for a literal first character is fastest."""

# --- Types and places -------------------------------------------------------------------------------------------------

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
    # The client closed the connection: a server raises its own error, or a server reads or writes on that connection.
    Symptom(
        _GONE, r"(?:werkzeug|waitress|uvicorn)\.(?:\w+\.)*ClientDisconnected$|starlette\.requests\.ClientDisconnect$"
    ),
    Symptom(_GONE, r"gunicorn\.http\.errors\.NoMoreData$|django\.http\.request\.UnreadablePostError$"),
    Symptom(
        _GONE, r"(?:OSError|IOError)$", r"^Apache/mod_wsgi (?:request data read error|failed to write response data)"
    ),
    Symptom(_GONE, r"(?:OSError|IOError)$", r"^error during read\(\d+\) on wsgi\.input"),
    Symptom(
        _GONE, r"(?:BrokenPipeError|ConnectionResetError|ConnectionAbortedError)$", r"^[^:]{0,60}", caller=_SERVERS
    ),
    # Databases: too many connections, or a lock that is held for too long. A deadlock is a bug, not overload.
    Symptom(_DATABASE, _DATABASES, r"^database (?:table |schema )?is locked"),
    Symptom(_DATABASE, r"sqlalchemy\.", r"^QueuePool limit of size \d+ overflow -?\d+ reached"),
    Symptom(_DATABASE, r"psycopg_pool\.PoolTimeout$", r"^couldn't get a connection after [\d.]+ sec"),
    Symptom(_DATABASE, r"psycopg_pool\.TooManyRequests$"),
    Symptom(_DATABASE, r"psycopg2\.pool\.PoolError$|mysql\.", r"(?:connection )?pool exhausted"),
    Symptom(_DATABASE, _DATABASES, r"^canceling statement due to (?:lock|statement) timeout"),
    Symptom(
        _DATABASE,
        _DATABASES,
        r"(?:^|FATAL:\s{1,4})(?P<phrase>sorry, too many clients already|remaining connection slots are reserved"
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
    # Disks, also those of a database server.
    Symptom(_FULL_DISK, _DATABASES, r"^database or disk is full|^could not (?:extend|write)[^:]{0,200}: No space left"),
    Symptom(_FULL_DISK, _DATABASES, r"\(Errcode: 28\b|^\(1021, "),
    Symptom(_FULL_DISK, "", _FULL, not_at="inotify|watchdog|watchfiles|synchronize"),
    Symptom(_BROKEN_DISK, _DATABASES, r"^disk I/O error|^could not (?:read|write)[^:]{0,200}: Input/output error"),
    Symptom(_BROKEN_DISK, "", _BROKEN, not_at=r"\bpty|pexpect|getpass|serial|termios|fcntl"),
    # Backends: reachable, but they report overload or do not answer in time.
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
    Symptom(_BACKEND, _OS, r"^(?:timed out|The read operation timed out)$", caller=rf"(?!{_SERVERS})", at=_READS),
    # The network: no DNS answer, connection refused or no route. A database that refuses is down, not overloaded.
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
        r"connection to server at .{1,200} failed: (?P<phrase>Connection refused|Network is unreachable"
        r"|No route to host|Connection timed out|timeout expired)|^could not connect to server: Connection refused"
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
"""Characters of the longest type whose rows are memoized. With the number of types, this bounds the memory."""


def symptoms_of(type_: str) -> Sequence[CompiledSymptom]:
    """Return the rows that can match an exception of this type, in order: the first match decides."""
    return _memoized_rows(type_) if len(type_) <= _MAX_TYPE else _rows(type_)


@lru_cache(maxsize=512)
def _memoized_rows(type_: str) -> Sequence[CompiledSymptom]:
    return _rows(type_)


def _rows(type_: str) -> Sequence[CompiledSymptom]:
    return tuple(symptom for symptom in _SYMPTOMS if not symptom.types or symptom.types.match(type_))


LOG_PHRASES = (
    (_FULL_DISK, re.compile(_FULL)),
    (_BROKEN_DISK, re.compile(_BROKEN)),
    (_NETWORK, re.compile(_DOWN)),
    (_DATABASE, re.compile(r"QueuePool limit of size \d+ overflow -?\d+ reached, connection timed out")),
    (_BACKEND, re.compile(r"HTTPS?ConnectionPool\(host=[^)]{1,200}\): Read timed out")),
)
"""Phrases that are unambiguous without the type of the exception, as `logger.error("…: %s", error)` writes them."""

PROGRAMMING_ERRORS: Mapping[str, re.Pattern[str] | None] = {
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
"""Python's programming errors, each with a pattern for the messages that only a bug causes, never a `raise` on purpose;
None if the message cannot tell these apart."""
