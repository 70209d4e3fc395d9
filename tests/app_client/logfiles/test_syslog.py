"""The syslog handler with real sockets: local, UDP and TCP; servers that are missing, restart or hang."""

import json
import logging
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import app_client
from app_client.logfiles.handlers import LogFileError
from app_client.logfiles.syslog import SyslogHandler, parse_address
from tests.support.paths import ROOT
from tests.support.smtp_sinks import TIMEOUT, closed_port


@pytest.fixture
def listening(tmp_path):
    """Create server sockets by family and kind; they are closed at the end of the test."""
    opened = []

    def listen(family, kind, address=None) -> socket.socket:
        server = socket.socket(family, kind)
        opened.append(server)
        server.settimeout(TIMEOUT)
        server.bind(address or (str(tmp_path / "log") if family == socket.AF_UNIX else ("127.0.0.1", 0)))
        if kind == socket.SOCK_STREAM:
            server.listen()
        return server

    yield listen
    for server in opened:
        server.close()


@pytest.fixture
def make_syslog(make_logger):
    """Create loggers with a syslog handler; the handlers are closed at the end of the test."""
    handlers = []

    def make(address, **options) -> logging.Logger:
        handlers.append(app_client.syslog(address, **options))
        return make_logger(handlers[-1])

    yield make
    for handler in handlers:
        handler.close()


def port_of(server: socket.socket) -> int:
    return server.getsockname()[1]


MESSAGE = re.compile(rb"<11>shop: [\d-]+ [\d:,]+ ERROR: no stock \[in .*test_syslog\.py:\d+\]")


def test_local_socket(listening, make_syslog, tmp_path):
    server = listening(socket.AF_UNIX, socket.SOCK_DGRAM)

    make_syslog(str(tmp_path / "log"), ident="shop").error("no stock")

    assert MESSAGE.fullmatch(server.recv(9000))


def test_local_stream(listening, make_syslog, tmp_path):
    """A NUL ends each message."""
    server = listening(socket.AF_UNIX, socket.SOCK_STREAM)

    logger = make_syslog(str(tmp_path / "log"), ident="shop")
    logger.error("no stock")
    connection, _ = server.accept()
    with connection:
        assert MESSAGE.fullmatch(connection.recv(9000).rstrip(b"\0"))


def test_udp(listening, make_syslog):
    server = listening(socket.AF_INET, socket.SOCK_DGRAM)

    make_syslog(f"udp://127.0.0.1:{port_of(server)}", ident="shop").error("no stock")

    assert MESSAGE.fullmatch(server.recv(9000))


def test_tcp(listening, make_syslog):
    """Each message is one line, for any content (RFC 6587 section 3.4.2)."""
    server = listening(socket.AF_INET, socket.SOCK_STREAM)

    logger = make_syslog(f"tcp://127.0.0.1:{port_of(server)}", ident="shop")
    connection, _ = server.accept()
    logger.error("no stock")
    try:
        int("a\n<8>forged: by a newline")
    except ValueError:
        logger.exception("b\n<8>forged: by a newline")
    logger.handlers[0].close()
    with connection, connection.makefile("rb") as lines:
        first, second, *rest = lines.read().splitlines()

    assert MESSAGE.fullmatch(first)
    assert second.startswith(b"<11>shop: ")
    assert rb": b\n<8>forged: by a newline [in " in second
    assert rest == []


@pytest.mark.parametrize(("level", "severity"), [("WARNING", 4), ("ERROR", 3), ("CRITICAL", 2)])
def test_facility_and_severity(listening, make_syslog, level, severity):
    server = listening(socket.AF_INET, socket.SOCK_DGRAM)

    logger = make_syslog(f"udp://127.0.0.1:{port_of(server)}", facility="local3")
    logger.info("too small")
    logger.log(getattr(logging, level), "x")

    assert server.recv(9000).startswith(b"<%d>" % (19 * 8 + severity))


def test_json_lines_can_be_sent(listening, make_syslog):
    server = listening(socket.AF_INET, socket.SOCK_DGRAM)

    logger = make_syslog(f"udp://127.0.0.1:{port_of(server)}", formatter=app_client.JsonFormatter())
    logger.error("no\nstock")

    assert json.loads(server.recv(9000).removeprefix(b"<11>"))["message"] == "no\nstock"


def test_an_overlong_message_is_truncated_in_the_middle(listening, make_syslog):
    server = listening(socket.AF_INET, socket.SOCK_DGRAM)

    make_syslog(f"udp://127.0.0.1:{port_of(server)}").error("begin %s end", "x" * 200_000)
    message = server.recv(300_000)

    assert len(message) < 8192
    assert b"begin xxx" in message
    assert b" [...] " in message
    assert b"xxx end [in " in message


def test_a_local_server_that_restarts_gets_the_next_record(listening, make_syslog, tmp_path):
    logger_socket = listening(socket.AF_UNIX, socket.SOCK_DGRAM)
    logger = make_syslog(str(tmp_path / "log"))
    logger.error("before")
    logger_socket.close()
    (tmp_path / "log").unlink()

    server = listening(socket.AF_UNIX, socket.SOCK_DGRAM)
    logger.error("after")

    assert b"after" in server.recv(9000)


def test_a_tcp_server_that_restarts_gets_the_next_record(listening, make_syslog):
    """The first message after a disconnect would get lost without an error."""
    server = listening(socket.AF_INET, socket.SOCK_STREAM)
    logger = make_syslog(f"tcp://127.0.0.1:{port_of(server)}")
    first, _ = server.accept()
    first.close()

    logger.error("after")
    second, _ = server.accept()

    with second:
        assert b"after" in second.recv(9000)


def test_a_missing_server_is_reported_without_raising(listening, make_syslog, tmp_path, capsys):
    server = listening(socket.AF_UNIX, socket.SOCK_DGRAM)
    logger = make_syslog(str(tmp_path / "log"))
    server.close()
    (tmp_path / "log").unlink()

    logger.error("into the void")

    assert f"syslog at {tmp_path}/log accepts no messages at the moment" in capsys.readouterr().err


def test_a_server_that_hangs_delays_only_one_record(listening, make_syslog, tmp_path, capsys):
    """Its queue is full. After one record has waited a second in vain, the next ones do not try for a while."""
    listening(socket.AF_UNIX, socket.SOCK_DGRAM)
    logger = make_syslog(str(tmp_path / "log"))
    handler = logger.handlers[0]
    tries = []

    def noted(timeout=1.0):
        tries.append(timeout)
        return SyslogHandler.makeSocket(handler, timeout)

    handler.makeSocket = noted

    for number in range(3000):
        logger.error("%d", number)
        if handler.sock is None:
            break
    logger.error("one more")

    assert handler.sock is None
    assert tries == []
    assert capsys.readouterr().err.count("--- Logging error ---") == 2


FORK = """
    import logging, os, sys
    import app_client
    handler = app_client.syslog(sys.argv[1])
    logger = logging.getLogger("shop")
    logger.addHandler(handler)
    logger.error("parent")
    if os.fork() == 0:
        logger.error("child")
        os._exit(0)
    os.wait()
    logger.error("parent again")
"""


def test_a_forked_child_has_its_own_connection(listening):
    """Two processes on one stream would mix their lines."""
    server = listening(socket.AF_INET, socket.SOCK_STREAM)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORK), f"tcp://127.0.0.1:{port_of(server)}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    received = []
    for _ in range(2):
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as lines:
            received.append(re.findall(rb"ERROR: (.*) \[in", lines.read()))

    assert done.stderr == ""
    assert received == [[b"parent", b"parent again"], [b"child"]]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("{folder}/missing", "no syslog at .*/missing: there is no such socket. Start rsyslog or journald"),
        ("{folder}/file", "no syslog at .*/file: it is not a socket"),
        ("{folder}/left", "no syslog at .*/left: no server listens there. Start the server"),
        (
            "tcp://127.0.0.1:{port}",
            "no syslog at tcp://127.0.0.1:.*: no server listens there. Start the server, or check the port",
        ),
        ("udp://no-such-host.invalid", "no syslog at udp://no-such-host.invalid:514: the host name is unknown"),
    ],
)
def test_an_absent_server_is_refused_at_set_up(address, words, tmp_path):
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as gone:
        gone.bind(str(tmp_path / "left"))

    with pytest.raises(LogFileError, match=words):
        app_client.syslog(address.format(folder=tmp_path, port=closed_port()))


@pytest.mark.skipif(Path("/dev/log").exists(), reason="there is a local syslog")
def test_without_an_address_the_system_socket_is_used():
    with pytest.raises(LogFileError, match="no syslog at /dev/log: there is no such socket"):
        app_client.syslog()


@pytest.mark.parametrize(
    "address", ["logs.example.com", "logs:514", "http://logs", "udp://", "tcp://logs:port", "udp://a/b"]
)
def test_an_invalid_address_is_refused(address):
    with pytest.raises(ValueError, match="a syslog address is a path"):
        app_client.syslog(address)


def test_an_unknown_facility_is_refused(listening, tmp_path):
    listening(socket.AF_UNIX, socket.SOCK_DGRAM)

    with pytest.raises(ValueError, match="unknown syslog facility: 'shop'"):
        app_client.syslog(str(tmp_path / "log"), facility="shop")


def test_addresses_have_the_standard_ports():
    assert [str(parse_address(text)) for text in ("udp://logs", "tcp://logs", "tcp://[::1]:7", "/run/log")] == [
        "udp://logs:514",
        "tcp://logs:601",
        "tcp://::1:7",
        "/run/log",
    ]
