"""Syslog handler over the local socket, UDP or TCP; each record is one line.

The standard handler does not report a missing socket, terminates TCP messages in a way that most servers do not
support, never reconnects, and may wait for ever for a server that hangs. Guarantees of this handler: it connects at
set-up, or raises. Later it reconnects by itself. It waits at most one second, and after a timeout does not try again
for a while. It reports undelivered records as `logging` does, without raising.
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
_LIMIT = 8000  # bytes of a message: rsyslog truncates at 8 KiB
_LOCAL = ("/dev/log", "/var/run/syslog", "/var/run/log")
_TIMEOUT = 1.0  # seconds for connecting, and for sending a message


class Transport(Enum):
    """The transport of messages."""

    LOCAL = "local"
    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogAddress:
    """The address of a syslog server."""

    transport: Transport
    host: str
    """A path for LOCAL."""
    port: int | None = None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.transport.value}://{self.host}:{self.port}"


def parse_address(address: str) -> SyslogAddress:
    """Parse a path, "udp://host:514", "tcp://host:601", or "" for the socket of this system.

    Raises ValueError for anything else.
    """
    if not address or address.startswith("/"):
        local = address or next((path for path in _LOCAL if Path(path).is_socket()), _LOCAL[0])
        return SyslogAddress(transport=Transport.LOCAL, host=local)
    try:
        parts = urlsplit(address)
        port = parts.port or _PORT[parts.scheme]
    except (KeyError, ValueError):
        parts, port = None, 0
    if parts is None or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f'a syslog address is a path, "udp://host:514" or "tcp://host:601", not {address!r}')
    return SyslogAddress(transport=Transport(parts.scheme), host=parts.hostname, port=port)


def describe(error: OSError) -> str:
    """Explain a failed connection and say what to do."""
    if isinstance(error, socket.gaierror):
        return "the host name is unknown. Check its spelling and the name server"
    reasons = {
        errno.ENOENT: "there is no such socket. Start rsyslog or journald, or in a container mount the host's socket",
        errno.ECONNREFUSED: "no server listens there. Start the server, or check the port",
        errno.ENOTSOCK: "it is not a socket",
        errno.EACCES: "this user may not write to it",
    }
    return reasons.get(error.errno or 0, str(error) or type(error).__name__)


class SyslogHandler(SocketHandler):
    """Sends each record as one message. Raises OSError if it cannot connect, ValueError for an unknown facility."""

    def __init__(self, address: SyslogAddress, *, ident: str = "", facility: str = "user") -> None:
        if facility not in SysLogHandler.facility_names:
            raise ValueError(f"unknown syslog facility: {facility!r}")
        super().__init__(address.host, address.port)
        self._address = address
        self._facility = SysLogHandler.facility_names[facility]
        self._tag = re.sub(r"[^\w.-]+", "-", ident) + ": " if ident else ""
        self._owner = os.getpid()
        self._end = b"\n" if address.transport is Transport.TCP else b""
        self.retryPeriod = self.retryStart
        self.sock = self.makeSocket()

    def makeSocket(self, timeout: float = _TIMEOUT) -> socket.socket:  # noqa: N802 - the standard name
        """Return a connected socket; `timeout` in seconds. Raises OSError."""
        self._owner = os.getpid()
        if self._address.transport is Transport.LOCAL:
            return self._local_socket(timeout)
        if self._address.transport is Transport.TCP:
            return socket.create_connection((self._address.host, self._address.port or 0), timeout)
        return _datagram_socket(self._address, timeout)

    def makePickle(self, record: logging.LogRecord) -> bytes:  # noqa: N802 - the standard name
        """Return the message: priority and tag (RFC 3164), then the formatted record, about 8000 bytes at most."""
        names = SysLogHandler.priority_map
        severity = SysLogHandler.priority_names[names.get(record.levelname, "warning")]
        text = (self._tag + self.format(record)).encode("utf-8", "backslashreplace")
        if len(text) > _LIMIT:
            text = text[: _LIMIT * 3 // 4] + b" [...] " + text[-_LIMIT // 4 :]
        return b"<%d>%s%s" % (self._facility << 3 | severity, text.replace(b"\n", b"\\n"), self._end)

    def send(self, message: Any) -> None:
        """Send the bytes, over a new connection if the old one is closed; raises ConnectionError on failure."""
        if self._owner != os.getpid() or self._is_closed_by_peer():
            self._disconnect()
        for _ in range(2):
            if self.sock is None:
                self.createSocket()
            if self.sock is None or self._sent(self.sock, message):
                break
        if self.sock is None:
            raise ConnectionError(f"syslog at {self._address} accepts no messages at the moment")

    def _sent(self, connection: socket.socket, message: Any) -> bool:
        """Send once. Returns False if another attempt on a new connection makes sense."""
        try:
            connection.sendall(message)
        except OSError as error:
            self._disconnect()
            if isinstance(error, TimeoutError):  # the server hangs: the next requests must not wait for it
                self.retryTime = time.time() + self.retryMax
            return isinstance(error, TimeoutError)
        return True

    def _is_closed_by_peer(self) -> bool:
        """Return True if the server has closed the stream: the next message would get lost without an error."""
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

    def _disconnect(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def _local_socket(self, timeout: float) -> socket.socket:
        """Return a datagram socket, or a stream socket if the server requires it; there a NUL ends each message."""
        if not stat.S_ISSOCK(os.stat(self._address.host).st_mode):  # noqa: PTH116 - `connect` takes a text too
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        for kind, end in ((socket.SOCK_DGRAM, b""), (socket.SOCK_STREAM, b"\0")):
            connection = socket.socket(socket.AF_UNIX, kind)
            connection.settimeout(timeout)
            try:
                connection.connect(self._address.host)
            except OSError as error:
                connection.close()
                if error.errno != errno.EPROTOTYPE:
                    raise
            else:
                self._end = end
                return connection
        raise OSError(errno.EPROTOTYPE, os.strerror(errno.EPROTOTYPE))


def _datagram_socket(address: SyslogAddress, timeout: float) -> socket.socket:
    """Return a connected UDP socket. Because it is connected, the system reports a refusal with the next message."""
    family, kind, protocol, _, peer = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(timeout)
        connection.connect(peer)
    except OSError:
        connection.close()
        raise
    return connection
