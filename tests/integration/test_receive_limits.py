"""The receiver at its limits: too many or too slow clients, a full disk, and an orderly stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import smtplib
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from relay.errors import SpoolError, SpoolFull
from relay.model import Retained
from relay.receive import Access, Limits, Receiver
from relay.spool import SpoolReader, SpoolWriter
from tests.support.disks import mount_tmpfs
from tests.support.receiving import RawClient, listening, receiving


class SpoolProxy:
    """Stands between a receiver and its spool, and can fail or delay mails."""

    def __init__(self, writer: SpoolWriter) -> None:
        self.writer = writer
        self.fails: dict[Retained, Exception] = {}
        self.asked = threading.Event()
        self.hold: asyncio.Event | None = None

    records = property(lambda self: self.writer.records)
    syncs = property(lambda self: self.writer.syncs)

    def submit(self, mail, *, done, more):
        self.asked.set()
        error = self.fails.get(mail.retained)
        if isinstance(error, SpoolError):
            asyncio.get_running_loop().call_soon(done, error)
        elif error is not None:
            raise error
        elif self.hold is not None:
            self._held = asyncio.ensure_future(self._submit_later(mail, done=done, more=more))
        else:
            self.writer.submit(mail, done=done, more=more)

    async def _submit_later(self, mail, *, done, more):
        assert self.hold
        await self.hold.wait()
        self.writer.submit(mail, done=done, more=more)


class SpoolProxies(list):
    """Collects the objects between receivers and their spools."""

    def __call__(self, writer: SpoolWriter) -> SpoolProxy:
        self.append(SpoolProxy(writer))
        return self[-1]


@pytest.fixture
def spools():
    return SpoolProxies()


# --- Too many commands, recipients and bytes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", [b"WHAT", b"", b"MAIL", b"RCPT TO:<a@b>", b"x" * 20_000, b"MAIL FROM:<a@b> SIZE=99999999999"]
)
def test_too_many_wrong_commands_end_the_connection(tmp_path, line):
    with receiving(tmp_path, Limits(errors=5, stop_within=0.1)) as running:
        client = running.connect().greet()

        codes = [client.say(line) for _ in range(5)]

        assert codes[-1] == "421 4.7.0"
        assert "421 4.7.0" not in codes[:-1]
        assert client.ended()


@pytest.mark.parametrize("line", [b"NOOP", b"RSET", b"EHLO x", b"VRFY x", b"HELP"])
def test_too_many_commands_without_effect_end_the_connection(tmp_path, line):
    with receiving(tmp_path, Limits(idle_commands=10, stop_within=0.1)) as running:
        client = running.connect().greet()

        codes = [client.say(line) for _ in range(10)]

        assert codes[-1] == "421 4.7.0"
        assert "421 4.7.0" not in codes[:-1]
        assert client.ended()


def test_a_mail_resets_the_error_counts(tmp_path):
    with receiving(tmp_path, Limits(errors=3, idle_commands=5, stop_within=0.1)) as running:
        client = running.connect().greet()
        for _ in range(10):
            assert client.say(b"WHAT") == "500 5.5.2"
            assert client.say(b"NOOP") == "250 2.0.0"
            assert client.mail(b"text\r\n") == "250 2.6.0"


def test_too_large_mails_do_not_count_as_errors(tmp_path):
    with receiving(tmp_path, Limits(errors=3, max_size=100, stop_within=0.1)) as running:
        client = running.connect().greet()
        for _ in range(10):
            assert client.mail(b"x" * 200 + b"\r\n") == "552 5.3.4"
        assert client.mail(b"text\r\n") == "250 2.6.0"


def test_recipients_over_the_limit_are_refused_and_the_mail_is_accepted(tmp_path):
    with receiving(tmp_path, Limits(recipients=100, stop_within=0.1)) as running:
        with smtplib.SMTP("127.0.0.1", running.port, timeout=5) as client:
            refused = client.sendmail("a@b", [f"r{number}@example.com" for number in range(120)], "text")

        assert len(refused) == 20
        assert {code for code, _ in refused.values()} == {452}
        assert len(running.records()[0].envelope.recipients) == 100


def test_endless_recipients_end_the_connection(tmp_path):
    with receiving(tmp_path, Limits(recipients=1, stop_within=0.1)) as running:
        client = running.connect().greet()
        assert client.say(b"MAIL FROM:<a@b>") == "250 2.1.0"
        assert client.say(b"RCPT TO:<c@d>") == "250 2.1.5"
        client.send(b"RCPT TO:<c@d>\r\n" * 1001)

        assert [client.code() for _ in range(1001)] == ["452 4.5.3"] * 1000 + ["421 4.7.0"]
        assert client.ended()


def test_memory_stays_bounded_during_an_endless_mail(tmp_path):
    """200 MB over three connections, far over the limit. Only a little of it is held at any time."""
    with receiving(tmp_path, Limits(max_size=1 << 20, stop_within=0.1)) as running:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        block = b"x" * (1 << 20)
        for _ in range(3):
            client = running.connect().greet().begin_data()
            for _ in range(67):
                client.send(block)
            assert client.say(b"\r\n.") == "552 5.3.4"

        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB
        assert running.records() == []


# --- Too many connections ---------------------------------------------------------------------------------------------


def test_longest_idle_connection_is_closed_first(tmp_path):
    with receiving(tmp_path, Limits(max_connections=3, stop_within=0.1)) as running:
        first, second, third = (running.connect().greet() for _ in range(3))
        assert first.say(b"NOOP") == "250 2.0.0"

        newcomer = running.connect().greet()

        assert second.reply() == ["421 4.3.2 Too many connections, try again later"]
        assert second.ended()
        for client in (first, third, newcomer):
            assert client.mail(b"text\r\n") == "250 2.6.0"
        assert running.receiver.counters.turned_away == 1


def test_working_connection_is_never_closed_for_another(tmp_path):
    """If all others are in a transaction, the new client is refused."""
    with receiving(tmp_path, Limits(max_connections=2, stop_within=0.1)) as running:
        working = [running.connect().greet().begin_data() for _ in range(2)]

        assert running.connect().reply() == ["421 4.3.2 Too many connections, try again later"]
        for client in working:
            assert client.say(b"text\r\n.") == "250 2.6.0"
        assert running.connect().greet().mail(b"text\r\n") == "250 2.6.0"


def test_idle_connections_do_not_block_other_clients(tmp_path):
    with receiving(tmp_path, Limits(max_connections=20, stop_within=0.1)) as running:
        for number in range(200):
            client = running.connect().greet()
            if number % 10 == 0:
                assert client.mail(b"%d\r\n" % number) == "250 2.6.0"

        assert len(running.records()) == 20
        assert running.receiver.counters.connections <= 21  # one may be closing


# --- Too slow ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["greeting", "command", "half a line", "recipients", "data", "auth"])
def test_silence_ends_within_its_limit(tmp_path, state):
    with receiving(tmp_path, Limits(idle_timeout=0.2, stop_within=0.1)) as running:
        client = running.connect()
        if state == "greeting":
            assert client.code() == "220"
        else:
            client.greet()
        if state == "half a line":
            client.send(b"NOO")
        elif state == "recipients":
            client.say(b"MAIL FROM:<a@b>")
        elif state == "data":
            client.begin_data().send(b"half a mail\r\n")
        elif state == "auth":
            client.say(b"AUTH PLAIN")

        assert client.reply() == ["421 4.4.2 Timed out"]
        assert client.ended()
        assert running.records() == []
        assert running.receiver.counters.timeouts == 1


@pytest.mark.parametrize("state", ["command", "data"])
def test_trickling_bytes_do_not_extend_the_time_limit(tmp_path, state):
    with receiving(tmp_path, Limits(idle_timeout=0.5, stop_within=0.1)) as running:
        client = running.connect().greet()
        if state == "data":
            client.begin_data()
        began = time.monotonic()
        client.socket.settimeout(0.05)
        while True:
            try:
                client.send(b"x")
                answer = client.socket.recv(100)
            except TimeoutError:
                assert time.monotonic() - began < 5
            except ConnectionError:
                break
            else:
                assert answer in {b"421 4.4.2 Timed out\r\n", b""}
                break


def keep_sending(client: RawClient, data: bytes) -> None:
    while True:
        client.send(data)


def test_client_that_never_reads_is_disconnected(tmp_path):
    """It sends commands for ever and reads no reply; a plain close would wait for it for ever."""
    with receiving(tmp_path, Limits(idle_timeout=0.3, idle_commands=10**9, errors=10**9, stop_within=0.1)) as running:
        client = running.connect(receive_buffer=2048).greet()
        client.socket.settimeout(8)
        with pytest.raises(ConnectionError):
            keep_sending(client, b"HELP\r\n" * 10_000)

        assert running.connect().greet().say(b"NOOP") == "250 2.0.0"
        assert running.receiver.counters.connections <= 1


def test_slow_sync_does_not_count_against_the_client(tmp_path, spools):
    """A sync that takes longer than the client's time limit does not cost the client its mail."""
    with receiving(tmp_path, Limits(idle_timeout=0.2, stop_within=0.1), wrap=spools) as running:
        spools[0].hold = asyncio.Event()
        client = running.connect().greet()
        client.begin_data().send(b"text\r\n.\r\n")
        assert spools[0].asked.wait(5)
        time.sleep(0.6)  # the time limit itself is tested
        running._loop.call_soon_threadsafe(spools[0].hold.set)

        assert client.code() == "250 2.6.0"


def test_time_limit_of_a_mail_grows_with_its_bytes(tmp_path):
    """Two slow mails: the one that sends enough bytes is accepted, the other one is ended."""
    limits = Limits(idle_timeout=0.6, min_rate=100, stop_within=0.1)
    with receiving(tmp_path, limits) as running:
        brisk, slow = (running.connect().greet().begin_data() for _ in range(2))
        began = time.monotonic()
        while time.monotonic() < began + 1.5:
            brisk.send(b"x" * 50)
            if slow.socket.fileno() >= 0:
                with contextlib.suppress(OSError):
                    slow.send(b"x")
            time.sleep(0.02)

        assert brisk.say(b"\r\n.") == "250 2.6.0"
        assert slow.code() == "421 4.4.2"
        assert len(running.records()) == 1


def test_connection_without_mails_ends_despite_other_commands(tmp_path):
    """One client sends commands for ever, each within its time limit; another one sends a mail now and then."""
    with receiving(tmp_path, Limits(session_timeout=1.0, idle_commands=10**9, stop_within=0.1)) as running:
        chatty, sender = running.connect().greet(), running.connect().greet()
        codes = []
        began = time.monotonic()
        while "421 4.4.2" not in codes and time.monotonic() < began + 10:
            codes.append(chatty.say(b"NOOP"))
            assert sender.mail(b"text\r\n") == "250 2.6.0"
            time.sleep(0.05)

        assert codes[-1] == "421 4.4.2"
        assert chatty.ended()
        assert sender.mail(b"text\r\n") == "250 2.6.0"


def test_proxy_that_sends_no_header_ends_within_its_limit(tmp_path):
    limits = Limits(idle_timeout=0.2, stop_within=0.1)
    with receiving(tmp_path, limits, Access(proxies=("127.0.0.1",))) as running:
        client = running.connect()
        client.send(b"PROX")

        assert client.code() == "421 4.4.2"
        assert client.ended()


def test_client_that_reads_no_replies_to_a_flood_of_recipients_costs_little(tmp_path):
    """Its commands are not read while its replies are not read."""
    with receiving(tmp_path, Limits(idle_timeout=1.0, recipients=10, stop_within=0.1)) as running:
        client = running.connect(receive_buffer=2048).greet()
        assert client.say(b"MAIL FROM:<a@b>") == "250 2.1.0"
        client.socket.settimeout(10)
        with pytest.raises(OSError):
            keep_sending(client, b"RCPT TO:<c@d>\r\n" * 1000)

        assert running.connect().greet().say(b"NOOP") == "250 2.0.0"


# --- Many at once -----------------------------------------------------------------------------------------------------


def test_address_over_its_limit_loses_only_its_own_idle_connections(tmp_path):
    limits = Limits(max_connections=10, max_per_client=3, stop_within=0.1)
    with receiving(tmp_path, limits, Access(clients=("0.0.0.0/0",), proxies=("127.0.0.1",))) as running:

        def connect_from(address: bytes) -> RawClient:
            client = running.connect()
            client.send(b"PROXY TCP4 %b 127.0.0.1 1 25\r\n" % address)
            return client.greet()

        lonely = connect_from(b"192.0.2.1")
        crowd = [connect_from(b"192.0.2.2") for _ in range(4)]

        assert crowd[0].code() == "421 4.3.2"
        for client in (lonely, *crowd[1:]):
            assert client.say(b"NOOP") == "250 2.0.0"


def test_address_with_only_working_connections_may_exceed_its_limit(tmp_path):
    """Behind Docker all clients share one address. No well-behaved client is refused while there is room in total."""
    with receiving(tmp_path, Limits(max_per_client=3, stop_within=0.1)) as running:
        clients = [running.connect().greet().begin_data() for _ in range(10)]

        assert {client.say(b"text\r\n.") for client in clients} == {"250 2.6.0"}


def test_500_clients_at_once_are_all_served(tmp_path):
    with receiving(tmp_path, Limits(stop_within=0.1)) as running:
        clients = [running.connect() for _ in range(500)]
        for client in clients:
            client.greet()
            client.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        for client in clients:
            client.send(b"text\r\n.\r\n")
        for client in clients:
            assert [client.code() for _ in range(4)][-1] == "250 2.6.0"

        assert len(running.records()) == 500


def test_receiver_without_free_descriptors_neither_ends_nor_spins(tmp_path):
    """Too many clients for a receiver that may open few files: those that fit are served."""
    program = (
        "import asyncio, resource, sys, uvloop\n"
        "from pathlib import Path\n"
        "from relay.receive import Limits, Receiver\n"
        "from relay.spool import SpoolWriter\n"
        "from tests.support.receiving import listening\n"
        "async def main():\n"
        "    receiver = Receiver(SpoolWriter.open(Path(sys.argv[1])), Limits())\n"
        "    number = len(list(Path('/proc/self/fd').iterdir()))\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (number + 20, number + 20))\n"
        "    sock = listening()\n"
        "    await receiver.start([sock])\n"
        "    print(sock.getsockname()[1], flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "uvloop.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            clients = [RawClient(port) for _ in range(600)]
            before = processor_time(process.pid)
            time.sleep(1.0)  # a busy loop would take a whole second of processor time
            assert processor_time(process.pid) - before < 0.5
            for client in clients:
                client.close()
            deadline = time.monotonic() + 20
            while not sent_alone(port):
                assert time.monotonic() < deadline
        finally:
            process.kill()


def sent_alone(port: int) -> bool:
    """Return True if a mail was accepted, False if the server had no free descriptor yet."""
    client = RawClient(port)
    try:
        return client.code() == "220" and client.ehlo().mail(b"text\r\n") == "250 2.6.0"
    finally:
        client.close()


def processor_time(process: int) -> float:
    """Return the seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- No 250 before the mail is stored ---------------------------------------------------------------------------------


def test_250_is_sent_after_the_mail_is_in_the_spool(tmp_path, spools):
    with receiving(tmp_path, wrap=spools) as running:
        spools[0].hold = asyncio.Event()
        client = running.connect().greet()
        client.begin_data().send(b"text\r\n.\r\n")
        assert spools[0].asked.wait(5)
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        assert running.records() == []
        client.socket.settimeout(5)
        running._loop.call_soon_threadsafe(spools[0].hold.set)

        assert client.socket.recv(100).startswith(b"250 ")
        assert len(running.records()) == 1


def test_mail_waits_for_another_client_that_is_about_to_finish(tmp_path, monkeypatch):
    monkeypatch.setattr("relay.spool.writer.GROUP_WAIT", 1000.0)
    monkeypatch.setattr("relay.receive.intake._RECENTLY", 1000.0)
    with receiving(tmp_path) as running:
        first, second = (running.connect().greet().begin_data() for _ in range(2))
        first.send(b"one\r\n.\r\n")
        assert second.say(b"two\r\n.") == "250 2.6.0"

        assert first.code() == "250 2.6.0"
        assert running.receiver._intake.snapshot() == {"records": 2, "syncs": 1}


@pytest.mark.parametrize("how", ["alone", "beside one that is silent", "beside one that has sent its mail"])
def test_mail_does_not_wait_for_idle_or_stalled_clients(tmp_path, monkeypatch, how):
    """Neither for an idle client, nor for one that stalls in the middle of its mail."""
    monkeypatch.setattr("relay.spool.writer.GROUP_WAIT", 1000.0)
    monkeypatch.setattr("relay.receive.intake._RECENTLY", -1000.0 if how.endswith("silent") else 1000.0)
    with receiving(tmp_path) as running:
        idle = running.connect().greet()
        if how.endswith("silent"):
            idle.begin_data()
        elif how.endswith("mail"):
            assert idle.mail(b"text\r\n") == "250 2.6.0"

        assert running.connect().greet().mail(b"text\r\n") == "250 2.6.0"


def test_mails_of_many_clients_share_syncs(tmp_path):
    with receiving(tmp_path) as running:
        clients = [running.connect().greet().begin_data() for _ in range(100)]
        before = running.receiver._intake.snapshot()["syncs"]
        for client in clients:
            client.send(b"text\r\n.\r\n")

        assert {client.code() for client in clients} == {"250 2.6.0"}
        assert running.receiver._intake.snapshot()["syncs"] - before < 50
        assert len(running.records()) == 100


def test_mail_without_room_in_the_spool_is_counted(tmp_path, spools, caplog):
    with receiving(tmp_path, wrap=spools) as running:
        spools[0].fails = {Retained.WHOLE: SpoolFull("no room")}
        client = running.connect().greet()
        assert client.mail(b"text\r\n") == "250 2.6.0"
        assert client.mail(b"more text\r\n") == "250 2.6.0"
        spools[0].fails = {}
        assert client.mail(b"again\r\n") == "250 2.6.0"

        records = running.records()
        assert [record.retained for record in records] == [Retained.COUNT, Retained.COUNT, Retained.WHOLE]
        assert [(record.content, record.size) for record in records[:2]] == [(b"", 6), (b"", 11)]
        assert records[0].envelope.sender == "app@example.com"
        assert running.receiver.counters.counted == 2
    assert caplog.text.count("no room") == 1


@pytest.mark.parametrize("error", [SpoolFull("no room"), SpoolError("disk broken in /var/lib/somewhere")])
def test_reply_is_452_while_nothing_can_be_stored(tmp_path, spools, error):
    with receiving(tmp_path, wrap=spools) as running:
        spools[0].fails = dict.fromkeys(Retained, error)
        client = running.connect().greet().begin_data()
        client.send(b"text\r\n.\r\n")
        assert client.reply() == ["452 4.3.1 Cannot store mail now, try again later"]
        spools[0].fails = {}

        assert client.mail(b"text\r\n") == "250 2.6.0"
        assert running.receiver.counters.refused == {"452": 1}


def test_mails_on_a_full_disk_are_counted_until_there_is_room(tmp_path):
    """A tmpfs of 4 MiB: whole mails, then counts, then whole mails again once some are ingested."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount_tmpfs(folder, "size=4m")
    try:
        with receiving(folder / "spool", Limits(errors=10**9, stop_within=0.1)) as running:
            client = running.connect().greet()
            for _ in range(100):
                assert client.mail(b"x" * 98 + b"\r\n" + b"y" * 100_000 + b"\r\n") == "250 2.6.0"
            counted = running.receiver.counters.counted
            assert 50 < counted < 100
            reader = SpoolReader(folder / "spool")
            reader.release(reader.end())

            assert client.mail(b"text\r\n") == "250 2.6.0"
            assert running.receiver.counters.counted == counted
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_unexpected_error_is_a_451_that_reveals_nothing(tmp_path, spools, caplog):
    with receiving(tmp_path, wrap=spools) as running:
        spools[0].fails = {Retained.WHOLE: RuntimeError("secret from inside")}
        client = running.connect().greet().begin_data()
        client.send(b"text\r\n.\r\n")
        assert client.reply() == ["451 4.3.0 Local error, try again later"]
        spools[0].fails = {}

        assert client.mail(b"text\r\n") == "250 2.6.0"
        assert running.receiver.counters.unexpected_errors == 1
    assert "RuntimeError" in caplog.text
    assert "secret from inside" not in caplog.text


# --- Stop and counters ------------------------------------------------------------------------------------------------


def test_stop_waits_for_open_transactions_and_closes_idle_connections(tmp_path):
    with receiving(tmp_path, Limits(stop_within=10)) as running:
        idle = running.connect().greet()
        working = running.connect().greet().begin_data()
        running.ask_to_stop()

        assert idle.reply() == ["421 4.3.2 Restarting, try again at once"]
        assert idle.ended()
        assert working.say(b"text\r\n.") == "250 2.6.0"
        assert working.code() == "421 4.3.2"
        assert working.ended()
        running.join()
        assert len(running.records()) == 1


def test_stop_does_not_exceed_its_time_limit(tmp_path):
    with receiving(tmp_path, Limits(stop_within=0.2)) as running:
        stuck = running.connect().greet().begin_data()
        running.ask_to_stop()
        began = time.monotonic()
        running.join()

        assert time.monotonic() - began < 5
        assert stuck.code() == "421 4.3.2"
        assert stuck.ended()
        assert running.records() == []


async def test_clients_wait_in_the_backlog_while_a_receiver_restarts(tmp_path):
    """The socket belongs to the caller: a client that connects between two receivers is served by the second."""
    with listening() as sock:
        for _ in range(2):
            sent = asyncio.to_thread(_send_one, sock.getsockname()[1])
            sending = asyncio.ensure_future(sent)
            writer = SpoolWriter.open(tmp_path)
            receiver = Receiver(writer, Limits(stop_within=0.1))
            await receiver.start([socket.socket(fileno=os.dup(sock.fileno()))])
            await sending
            await receiver.stop()
            await writer.close()

    assert len(SpoolReader(tmp_path).read(0)) == 2


def _send_one(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.sendmail("a@b", ["c@d"], "text")


async def test_receiver_runs_until_stopped_and_publishes_its_counters(tmp_path):
    stop = asyncio.Event()
    sock = listening()
    port = sock.getsockname()[1]
    writer = SpoolWriter.open(tmp_path / "spool")
    file = tmp_path / "receiver.json"
    receiver = Receiver(writer, Limits(stop_within=0.1))
    await receiver.start([sock])
    serving = asyncio.ensure_future(receiver.run(stop, file, publish_every=0.05))
    await asyncio.to_thread(_send_one, port)
    client = await asyncio.to_thread(RawClient, port)
    await asyncio.to_thread(client.greet)
    assert await asyncio.to_thread(client.say, b"WHAT") == "500 5.5.2"
    stop.set()
    await serving
    await writer.close()
    client.close()

    published = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert published["pid"] == os.getpid()
    assert (published["mails"], published["records"], published["syncs"]) == (1, 1, 1)
    assert published["mail_bytes"] == 6
    assert published["connections_total"] == 2
    assert published["connections"] == 0
    # This test, the task that runs the receiver, and the task that closes overdue connections.
    assert published["tasks"] == 3
    assert published["refused"] == {"500": 1, "421": 1}


async def test_counters_that_cannot_be_published_are_only_logged(tmp_path, caplog):
    writer = SpoolWriter.open(tmp_path / "spool")
    Receiver(writer, Limits()).publish(tmp_path / "missing" / "receiver.json")
    await writer.close()

    assert "cannot publish" in caplog.text


def test_receiver_imports_no_library_of_the_worker():
    """The receiver must start fast and stay small, so that it is always available."""
    program = "import sys, relay.receive, relay.spool; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}

    assert not loaded & {"pydantic", "sqlalchemy", "jinja2", "flask", "structlog", "aiosmtplib", "rich", "click"}
    assert "relay.config" not in run.stdout.split()
