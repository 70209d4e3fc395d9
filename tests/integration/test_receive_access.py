"""Who may connect and send, and how that is protected: networks, proxies, AUTH, TLS and its certificate."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme

from relay.errors import ConfigError
from relay.receive import Access, Limits, Receiver
from relay.receive.networks import Networks, plain_address
from relay.receive.passwords import is_hash, make_hash, verify_password
from relay.spool import SpoolWriter
from tests.support.receiving import RawClient, RunningReceiver, receiving

QUICK = Limits(stop_within=0.1)
EVERYBODY = ("0.0.0.0/0", "::/0")
HASH = make_hash("secret")
PLAIN = base64.b64encode(b"\0app\0secret")


def eventually(condition, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# --- Networks ---------------------------------------------------------------------------------------------------------


def test_unknown_client_gets_554_and_is_disconnected(tmp_path):
    with receiving(tmp_path, QUICK, Access(clients=("192.0.2.0/24",))) as running:
        client = running.connect()

        assert client.reply() == ["554 5.7.1 Access denied"]
        assert client.ended()
        assert running.receiver.counters.unknown_clients == 1


@pytest.mark.parametrize(
    ("address", "network", "inside"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("::FFFF:10.1.2.3", "10.1.2.3", True),
        ("::ffff:11.1.2.3", "10.0.0.0/8", False),
        ("fe80::1%eth0", "fe80::/10", True),
        ("10.1.2.3", "::/0", False),
        ("::1", "::1", True),
        ("nonsense", "0.0.0.0/0", False),
        ("", "192.0.2.0/24", True),
    ],
)
def test_address_matches_a_network_in_any_notation(address, network, inside):
    assert Networks([network]).contains(plain_address(address)) is inside


# --- Proxies ----------------------------------------------------------------------------------------------------------

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command: int, family: int, body: bytes) -> bytes:
    return V2 + bytes([0x20 | command, family]) + len(body).to_bytes(2, "big") + body


def ipv4(client: str) -> bytes:
    return socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + (1234).to_bytes(2, "big") + b"\0\x19"


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """A receiver behind a proxy on the loopback."""
    access = Access(clients=("192.0.2.0/24", "2001:db8::/32", "127.0.0.1"), proxies=("127.0.0.0/8",))
    with receiving(tmp_path_factory.mktemp("behind"), QUICK, access) as running:
        yield running


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (b"PROXY TCP4 192.0.2.7 127.0.0.1 1234 25\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 1234 25\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (v2(1, 0x11, ipv4("192.0.2.8")), "192.0.2.8"),
        (v2(0, 0x00, b""), "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("pieces", [False, True])
def test_proxy_names_the_client(behind, header, peer, pieces):
    client = behind.connect()
    for part in [header[:7], header[7:]] if pieces else [header]:
        client.send(part)

    assert client.greet().mail(b"text\r\n") == "250 2.6.0"
    assert behind.records()[-1].envelope.peer == peer


def test_greeting_follows_the_header_and_later_commands_are_answered(behind):
    client = behind.connect()
    client.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 1234 25\r\nEHLO x\r\nNOOP\r\n")

    assert [client.code() for _ in range(3)] == ["220", "250", "250 2.0.0"]


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 198.51.100.1 127.0.0.1 1234 25\r\n",
        b"PROXY TCP4 nonsense 127.0.0.1 1234 25\r\n",
        b"PROXY " + b"x" * 200,
        b"EHLO x\r\n",
        v2(1, 0x11, b"short"),
        V2 + b"\x21\x11\xff\xff",
        v2(3, 0x11, ipv4("192.0.2.8")),
    ],
)
def test_header_with_an_unknown_client_or_no_header_ends_the_connection(behind, header):
    client = behind.connect()
    client.send(header)

    assert client.code() == "554 5.7.1"
    assert client.ended()


def test_client_that_is_not_a_proxy_cannot_name_another_client(tmp_path):
    with receiving(tmp_path, QUICK) as running:
        client = running.connect()
        assert client.code() == "220"

        assert client.say(b"PROXY TCP4 192.0.2.7 127.0.0.1 1234 25") == "500 5.5.2"


# --- AUTH -------------------------------------------------------------------------------------------------------------


def remote_client(running: RunningReceiver) -> RawClient:
    """A client on another machine, as a proxy names it."""
    client = running.connect()
    client.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 1234 25\r\n")
    assert client.code() == "220"
    client.send(b"EHLO x\r\n")
    return client


@pytest.mark.parametrize("in_clear", [False, True])
def test_clear_text_password_beyond_the_loopback_needs_the_setting(tmp_path, in_clear):
    access = Access(clients=EVERYBODY, proxies=("127.0.0.0/8",), username="app", password=HASH, auth_in_clear=in_clear)
    with receiving(tmp_path, QUICK, access) as running:
        client = remote_client(running)

        assert any("AUTH" in line for line in client.reply()) is in_clear
        assert client.say(b"AUTH PLAIN " + PLAIN) == ("235 2.7.0" if in_clear else "538 5.7.11")
        assert client.say(b"MAIL FROM:<a@b>") == ("250 2.1.0" if in_clear else "530 5.7.0")


@pytest.mark.parametrize("stored", ["secret", HASH], ids=["clear", "hash"])
def test_password_may_be_stored_in_clear_text_or_as_a_hash(tmp_path, stored):
    with receiving(tmp_path, QUICK, Access(username="app", password=stored)) as running:
        for _ in range(2):
            assert running.connect().greet().say(b"AUTH PLAIN " + PLAIN) == "235 2.7.0"
        wrong = base64.b64encode(b"\0app\0" + HASH.encode())
        assert running.connect().greet().say(b"AUTH PLAIN " + wrong) == "535 5.7.8"


def test_hash_reveals_nothing_and_matches_only_its_password():
    one, other = make_hash("pä55"), make_hash("pä55")

    assert one != other
    assert "pä55" not in one
    assert is_hash(one)
    assert verify_password("pä55".encode(), one)
    assert not verify_password(b"pa55", one)
    assert not is_hash("pä55")


@pytest.mark.parametrize("damaged", ["$scrypt$", HASH[:-30], HASH.replace("ln=15", "ln=99"), HASH + "!"], ids=range(4))
def test_damaged_hash_is_refused_at_the_start(damaged):
    with pytest.raises(ConfigError, match="no whole hash"):
        Receiver(None, Limits(), Access(username="app", password=damaged))  # type: ignore[arg-type]


def test_other_clients_are_served_while_passwords_are_checked(tmp_path):
    """Many clients send wrong passwords at once; a client without AUTH is not delayed."""
    with receiving(tmp_path, QUICK, Access(username="app", password=HASH)) as running:
        wrong = base64.b64encode(b"\0app\0wrong")
        clients = [running.connect().greet() for _ in range(6)]
        for client in clients:
            client.send(b"AUTH PLAIN " + wrong + b"\r\n")

        assert running.connect().greet().say(b"NOOP") == "250 2.0.0"
        assert {client.code() for client in clients} == {"535 5.7.8"}


def test_too_many_logins_at_once_are_deferred(tmp_path):
    with receiving(tmp_path, QUICK, Access(username="app", password=HASH)) as running:
        authenticator = running.receiver._intake.authenticator
        authenticator._waiting = 64

        assert running.connect().greet().say(b"AUTH PLAIN " + PLAIN) == "454 4.7.0"
        authenticator._waiting = 0
        assert running.connect().greet().say(b"AUTH PLAIN " + PLAIN) == "235 2.7.0"


# --- TLS --------------------------------------------------------------------------------------------------------------

AUTHORITY = trustme.CA()


def issue(file: Path) -> None:
    AUTHORITY.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))


@pytest.fixture
def certificate(tmp_path) -> Path:
    issue(tmp_path / "certificate.pem")
    return tmp_path / "certificate.pem"


def shake_hands(client: RawClient, **options) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    for name, value in options.items():
        setattr(context, name, value)
    tls = context.wrap_socket(client.socket, server_hostname="127.0.0.1")
    client.socket = tls  # closed with the client
    return tls


def ready_for_tls(running: RunningReceiver) -> RawClient:
    client = running.connect().greet()
    assert client.say(b"STARTTLS") == "220 2.0.0"
    return client


def serial_of(tls: ssl.SSLSocket) -> str:
    found = tls.getpeercert()
    assert found is not None
    return str(found["serialNumber"])


def test_certificate_is_presented_and_trusted(tmp_path, certificate):
    with receiving(tmp_path / "spool", QUICK, Access(tls_cert=str(certificate))) as running:
        tls = shake_hands(ready_for_tls(running))
        tls.sendall(b"EHLO x\r\n")

        assert b"STARTTLS" not in tls.recv(1000)
        assert tls.version() in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_before_1_2_is_refused(tmp_path, certificate):
    with receiving(tmp_path / "spool", QUICK, Access(tls_cert=str(certificate))) as running:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(ready_for_tls(running).socket)

        assert running.connect().greet().say(b"NOOP") == "250 2.0.0"


def test_new_certificate_is_used_without_a_restart_and_old_connections_stay(tmp_path, certificate):
    with receiving(tmp_path / "spool", QUICK, Access(tls_cert=str(certificate))) as running:
        before = shake_hands(ready_for_tls(running))
        issue(certificate)
        after = shake_hands(ready_for_tls(running))

        assert serial_of(before) != serial_of(after)
        before.sendall(b"NOOP\r\n")
        assert before.recv(100).startswith(b"250 ")


@pytest.mark.parametrize("broken", ["", "no certificate", None])
def test_broken_new_certificate_leaves_the_old_one_in_use(tmp_path, certificate, caplog, broken):
    with receiving(tmp_path / "spool", QUICK, Access(tls_cert=str(certificate))) as running:
        before = serial_of(shake_hands(ready_for_tls(running)))
        if broken is None:
            certificate.unlink()
        else:
            certificate.write_text(broken)

        assert serial_of(shake_hands(ready_for_tls(running))) == before
    assert "stays in use" in caplog.text


@pytest.mark.parametrize(
    ("cert", "key", "message"),
    [
        ("missing.pem", "", "cannot be read: No such file"),
        ("garbage.pem", "", "are no certificate and key in PEM"),
        ("certificate.pem", "other.pem", "do not belong together"),
        ("certificate.pem", "missing.pem", "missing.pem cannot be read"),
        ("certificate.pem", "locked.pem", "has a password"),
    ],
)
def test_unusable_certificate_is_a_configuration_error(tmp_path, certificate, cert, key, message):
    (tmp_path / "garbage.pem").write_text("garbage")
    issue(tmp_path / "other.pem")
    locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIBvTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI\n"
    (tmp_path / "locked.pem").write_text(locked + "-----END ENCRYPTED PRIVATE KEY-----\n")
    access = Access(tls_cert=str(tmp_path / cert), tls_key=str(tmp_path / key) if key else "")
    if key == "locked.pem":
        encrypt(tmp_path / "other.pem", tmp_path / "locked.pem")

    with pytest.raises(ConfigError, match=message):
        Receiver(None, Limits(), access)  # type: ignore[arg-type]


def encrypt(source: Path, target: Path) -> None:
    """Encrypt a private key with a password."""
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(source.read_bytes(), None)
    target.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"word"))
    )


async def test_tls_from_the_first_byte_needs_a_certificate(tmp_path):
    writer = SpoolWriter.open(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as sock, pytest.raises(ConfigError, match=r"needs smtp\.tls_cert"):
        await Receiver(writer, QUICK).start([], [sock])
    await writer.close()


@pytest.mark.parametrize("header", [b"", b"PROXY TCP4 192.0.2.7 127.0.0.1 1234 25\r\n"])
def test_handshake_may_begin_before_the_server_is_ready(tmp_path, certificate, header):
    """With TLS from the first byte the client's hello is there at once, or directly after a proxy's header."""
    access = Access(tls_cert=str(certificate), clients=EVERYBODY, proxies=("127.0.0.1",) if header else ())
    with receiving(tmp_path / "spool", QUICK, access, tls_first=True) as running:
        for _ in range(40):
            client = running.connect()
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.create_default_context()
            AUTHORITY.configure_trust(context)
            tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            client.send(header + outgoing.read())

            assert client.socket.recv(1) == b"\x16"  # the server's part of the handshake
            client.close()


@pytest.mark.parametrize("tls_first", [False, True])
@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_stalled_handshake_ends_within_its_limit(tmp_path, certificate, tls_first, sent):
    limits = Limits(idle_timeout=0.3, stop_within=0.1)
    with receiving(tmp_path / "s", limits, Access(tls_cert=str(certificate)), tls_first=tls_first) as running:
        client = running.connect() if tls_first else ready_for_tls(running)
        client.send(sent)

        assert client.ended()
        assert eventually(lambda: running.receiver.counters.connections == 0)
        assert eventually(lambda: running.receiver.counters.handshakes_failed == 1)
        assert eventually(lambda: len(running.receiver._intake.admission) == 0)


@pytest.mark.parametrize("tls_first", [False, True])
def test_stalled_handshakes_do_not_block_other_clients(tmp_path, certificate, tls_first):
    """At the limit the longest-idle client is closed first. A stalled handshake is idle. It gets no plain text."""
    limits = Limits(max_connections=3, stop_within=0.1)
    with receiving(tmp_path / "s", limits, Access(tls_cert=str(certificate)), tls_first=tls_first) as running:
        stalled = [running.connect() if tls_first else ready_for_tls(running) for _ in range(12)]
        assert eventually(lambda: len(running.receiver._intake.admission) == 3)

        newcomer = shake_hands(running.connect() if tls_first else ready_for_tls(running))
        newcomer.sendall(b"EHLO client.example\r\n")

        assert newcomer.recv(4096)[:4] in {b"220 ", b"250-"}
        assert all(client.ended() for client in stalled[:10])
        assert len(running.receiver._intake.admission) <= 3
        newcomer.close()
        assert eventually(lambda: running.receiver.counters.connections <= 2)


def test_handshakes_of_one_address_have_a_grace_period(tmp_path, certificate, monkeypatch):
    """Behind Docker all clients share one address. Hundreds of handshakes at once are slow, but none is closed."""
    limits, access = Limits(max_per_client=2, stop_within=0.1), Access(tls_cert=str(certificate))
    with receiving(tmp_path / "s", limits, access) as running:
        begun = [ready_for_tls(running) for _ in range(6)]
        for client in begun:
            tls = shake_hands(client)
            tls.sendall(b"NOOP\r\n")
            assert tls.recv(100) == b"250 2.0.0 OK\r\n"
            tls.close()
        assert eventually(lambda: running.receiver.counters.connections == 0)

        monkeypatch.setattr("relay.receive.admission.HANDSHAKE_GRACE", 0.0)
        begun = [ready_for_tls(running) for _ in range(6)]

        assert all(client.ended() for client in begun[:4])


def test_starttls_ends_an_open_transaction(tmp_path, certificate):
    """Otherwise a transaction followed by STARTTLS would keep its place at the limit for half a minute."""
    access = Access(tls_cert=str(certificate))
    with receiving(tmp_path / "s", Limits(max_connections=1, stop_within=0.1), access) as running:
        stalled = running.connect().greet()
        assert stalled.say(b"MAIL FROM:<app@example.com>") == "250 2.1.0"
        assert stalled.say(b"STARTTLS") == "220 2.0.0"

        assert running.connect().greet().mail(b"text\r\n") == "250 2.6.0"
        assert stalled.ended()


def test_client_that_disconnects_during_the_handshake_is_forgotten(tmp_path, certificate):
    with receiving(tmp_path / "spool", QUICK, Access(tls_cert=str(certificate))) as running:
        for _ in range(5):
            client = ready_for_tls(running)
            client.send(b"\x16\x03\x01")
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()

        assert eventually(lambda: running.receiver.counters.connections == 0)
        assert len(running.receiver._intake.admission) == 0


def test_silence_under_tls_ends_within_its_limit(tmp_path, certificate):
    limits = Limits(idle_timeout=1.0, stop_within=0.1)
    with receiving(tmp_path / "spool", limits, Access(tls_cert=str(certificate))) as running:
        tls = shake_hands(ready_for_tls(running))

        assert tls.recv(100) == b"421 4.4.2 Timed out\r\n"
        tls.close()
        assert eventually(lambda: running.receiver.counters.connections == 0)


def test_client_under_tls_that_never_reads_is_disconnected(tmp_path, certificate):
    limits = Limits(idle_timeout=0.5, idle_commands=10**9, stop_within=0.1)
    with receiving(tmp_path / "spool", limits, Access(tls_cert=str(certificate))) as running:
        tls = shake_hands(ready_for_tls(running))
        tls.settimeout(15)
        with pytest.raises(OSError):  # noqa: PT012 -- any of these calls may fail
            while True:
                tls.sendall(b"HELP\r\n" * 10_000)

        assert eventually(lambda: running.receiver.counters.connections == 0)
