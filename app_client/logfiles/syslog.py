"""Syslog over the local socket, UDP or TCP, for records of one line.

The stock handler says nothing of a socket that is not there, ends messages over TCP in a way that most servers do not
understand, never connects again, and may wait for ever for a server that hangs. Guarantee of this one: it connects at
set-up or raises; later it connects again by itself, waits a second at most (and not again for a while), and reports
what it cannot deliver as `logging` does, without raising.
"""

import errno
import logging
import os
import re
import socket
import stat
import time
from dataclasses import dataclass
from enum import Enum
from logging.handlers import SocketHandler, SysLogHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_PORT = {"udp": 514, "tcp": 601}
"""RFC 5426 section 3.3, RFC 6587 section 5."""
_LIMIT = 8000  # bytes of a message: rsyslog cuts at 8 KiB
_LOCAL = ("/dev/log", "/var/run/syslog", "/var/run/log")
_TIMEOUT = 1.0  # seconds for connecting, and for sending a message


class Transport(Enum):
    """How messages travel."""

    LOCAL = "local"
    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a syslog server listens."""

    transport: Transport
    host: str
    """A path for LOCAL."""
    port: int | None = None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.transport.value}://{self.host}:{self.port}"


def place_of(address: str) -> Place:
    """What `address` means: a path, "udp://host:514", "tcp://host:601", or "" for this system's own socket.

    Raises ValueError for anything else.
    """
    if not address or address.startswith("/"):
        local = address or next((path for path in _LOCAL if Path(path).is_socket()), _LOCAL[0])
        return Place(transport=Transport.LOCAL, host=local)
    try:
        parts = urlsplit(address)
        port = parts.port or _PORT[parts.scheme]
    except (KeyError, ValueError):
        parts, port = None, 0
    if parts is None or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f'a syslog address is a path, "udp://host:514" or "tcp://host:601", not {address!r}')
    return Place(transport=Transport(parts.scheme), host=parts.hostname, port=port)


def describe(trouble: OSError) -> str:
    """What a failure to connect means, and what to do."""
    if isinstance(trouble, socket.gaierror):
        return "this host name is not known. Check its spelling and the name server"
    reasons = {
        errno.ENOENT: "there is no such socket. Start rsyslog or journald, or in a container mount the host's socket",
        errno.ECONNREFUSED: "nobody listens. Start the server, or check the port",
        errno.ENOTSOCK: "that is no socket",
        errno.EACCES: "this user may not write to it",
    }
    return reasons.get(trouble.errno or 0, str(trouble) or type(trouble).__name__)


class SyslogHandler(SocketHandler):
    """Sends each record as one message. Raises OSError if there is nobody to send to, ValueError for a facility."""

    def __init__(self, place: Place, *, ident: str = "", facility: str = "user") -> None:
        if facility not in SysLogHandler.facility_names:
            raise ValueError(f"no syslog facility: {facility!r}")
        super().__init__(place.host, place.port)
        self._place = place
        self._facility = SysLogHandler.facility_names[facility]
        self._tag = re.sub(r"[^\w.-]+", "-", ident) + ": " if ident else ""
        self._owner = os.getpid()
        self._end = b"\n" if place.transport is Transport.TCP else b""
        self.retryPeriod = self.retryStart
        self.sock = self.makeSocket()

    def makeSocket(self, timeout: float = _TIMEOUT) -> socket.socket:  # noqa: N802 - the stock name
        """A connected socket; raises OSError."""
        self._owner = os.getpid()
        if self._place.transport is Transport.LOCAL:
            return self._local_socket(timeout)
        if self._place.transport is Transport.TCP:
            return socket.create_connection((self._place.host, self._place.port or 0), timeout)
        return _datagram_socket(self._place, timeout)

    def makePickle(self, record: logging.LogRecord) -> bytes:  # noqa: N802 - the stock name
        """The message: RFC 3164's priority and tag, then the formatted record, at most about 8000 bytes."""
        names = SysLogHandler.priority_map
        severity = SysLogHandler.priority_names[names.get(record.levelname, "warning")]
        text = (self._tag + self.format(record)).encode("utf-8", "backslashreplace")
        if len(text) > _LIMIT:
            text = text[: _LIMIT * 3 // 4] + b" [...] " + text[-_LIMIT // 4 :]
        return b"<%d>%s%s" % (self._facility << 3 | severity, text.replace(b"\n", b"\\n"), self._end)

    def send(self, message: Any) -> None:
        """Send the bytes, on a new connection if the old one is gone; raises ConnectionError if that cannot be."""
        if self._owner != os.getpid() or self._is_hung_up():
            self._hang_up()
        for _ in range(2):
            if self.sock is None:
                self.createSocket()
            if self.sock is None or self._sent(self.sock, message):
                break
        if self.sock is None:
            raise ConnectionError(f"syslog at {self._place} takes nothing at the moment")

    def _sent(self, connection: socket.socket, message: Any) -> bool:
        """True if there is no more to try."""
        try:
            connection.sendall(message)
        except OSError as trouble:
            self._hang_up()
            if isinstance(trouble, TimeoutError):  # it hangs: no request shall wait for it again soon
                self.retryTime = time.time() + self.retryMax
            return isinstance(trouble, TimeoutError)
        return True

    def _is_hung_up(self) -> bool:
        """True if the other end has closed the stream: the first message after that would vanish without an error."""
        if self.sock is None or self.sock.type is not socket.SOCK_STREAM:
            return False
        self.sock.settimeout(0)
        try:
            return self.sock.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.sock.settimeout(_TIMEOUT)

    def _hang_up(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def _local_socket(self, timeout: float) -> socket.socket:
        """A datagram socket, or a stream where the server wants that; there a NUL ends a message."""
        if not stat.S_ISSOCK(os.stat(self._place.host).st_mode):  # noqa: PTH116 - a path as text, as sockets take it
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        for kind, end in ((socket.SOCK_DGRAM, b""), (socket.SOCK_STREAM, b"\0")):
            connection = socket.socket(socket.AF_UNIX, kind)
            connection.settimeout(timeout)
            try:
                connection.connect(self._place.host)
            except OSError as trouble:
                connection.close()
                if trouble.errno != errno.EPROTOTYPE:
                    raise
            else:
                self._end = end
                return connection
        raise OSError(errno.EPROTOTYPE, os.strerror(errno.EPROTOTYPE))


def _datagram_socket(place: Place, timeout: float) -> socket.socket:
    """Connected, so that the system reports a refusal with the next message."""
    family, kind, protocol, _, address = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_DGRAM)[0]
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(timeout)
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection
