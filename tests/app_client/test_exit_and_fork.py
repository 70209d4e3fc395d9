"""The client in real processes: exit of the interpreter, forks, multiprocessing and gunicorn."""

import http.client
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from tests.support.client_programs import PRELUDE, first_line, run, start
from tests.support.paths import ROOT
from tests.support.smtp_sinks import TIMEOUT, MisbehavingServer, Sink, closed_port, hang, texts, wait_until


def test_import_has_no_side_effects():
    """No module outside of the standard library, no thread, no handler, no exit hook."""
    script = """
        import sys, threading, logging, atexit
        before, hooks = set(sys.modules), atexit._ncallbacks()
        import app_client
        new = {name.partition(".")[0] for name in set(sys.modules) - before}
        assert new - set(sys.stdlib_module_names) == {"app_client"}, new
        assert threading.active_count() == 1
        assert not logging.getLogger().handlers
        assert not [h for h in logging._handlerList if type(h()) is not logging._StderrHandler]
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_sending_imports_no_module(login_sink):
    """A fork during an import of the thread would leave a half-imported module in the child."""
    script = """
        import ssl
        logger.removeHandler(handler)
        handler = ErrorMailHandler(
            sys.argv[1], "Jörg <a@example.com>", ["b@example.com"], "Größe", ("app", "the-password"), (), app="größer"
        )
        logger.addHandler(handler)
        before = set(sys.modules)
        for text in ("plain", "größer", "x" * 2000): logger.error(text)
        namespace = {}
        source = "größe = '価格'\\ndef f(): return (1 + 1) + (größe['価格'] + 1)"
        import linecache; linecache.cache["<wide>"] = len(source), None, source.splitlines(True), "<wide>"
        exec(compile(source, "<wide>", "exec"), namespace)
        try: namespace["f"]()
        except TypeError: logger.exception("failed")
        handler.flush()
        handler.close()
        print(sorted(set(sys.modules) - before))
    """
    done = run(script, login_sink.mailhost)

    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert len(login_sink.mails) == 4
    assert "~~~^^^" in login_sink.mails[3].text


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "raise SystemExit"], ids=["end", "exit", "raise"])
def test_queued_errors_are_delivered_before_the_interpreter_ends(sink, ending):
    done = run(f"for word in ('one', 'two', 'three'): logger.error(word)\n{ending}", sink.mailhost)

    assert (done.returncode, done.stderr) == (0, "")
    assert texts(sink) == ["one", "three", "two"]


def test_an_error_logged_at_exit_is_delivered(sink):
    """At that time newer Python versions start no more threads."""
    done = run("import atexit; atexit.register(logger.error, 'late')", sink.mailhost)

    assert (done.returncode, done.stderr) == (0, "")
    assert texts(sink) == ["late"]


def test_an_error_that_ends_the_app_is_delivered(sink):
    done = run(
        """
        try:
            {}["order"]
        except KeyError:
            logger.critical("cannot go on", exc_info=True)
            raise
        """,
        sink.mailhost,
    )

    assert done.returncode == 1
    assert "KeyError: 'order'" in sink.mails[0].text


def test_a_relay_that_comes_back_during_the_exit_gets_all_errors():
    relay = Sink().start()
    relay.stop()
    with start("logger.error('one'); logger.error('two'); print('over', flush=True)", relay.mailhost) as process:
        first_line(process)
        relay.start()
        _, errors = process.communicate(timeout=2 * TIMEOUT)
    relay.stop()

    assert process.returncode == 0, errors
    assert texts(relay) == ["one", "two"]


@pytest.mark.parametrize("relay", ["hanging", "absent"])
def test_the_interpreter_ends_in_time_without_a_working_relay(relay):
    """The number of lost errors is reported on stderr."""
    with MisbehavingServer(hang) as hanging:
        mailhost = hanging.mailhost if relay == "hanging" else ("127.0.0.1", closed_port())
        done = run("for _ in range(3): logger.error('one')", mailhost, exit_timeout=0.3)

    assert done.returncode == 0
    assert "closed before the relay accepted the last errors; dropped (3)\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_parent_and_forked_child_send_their_own_errors(sink):
    done = run(
        """
        logger.error("parent before")
        handler.flush()
        child = os.fork()
        logger.error("child" if child == 0 else "parent after")
        if child:
            os.waitpid(child, 0)
        """,
        sink.mailhost,
    )
    connection = {mail.text.strip(): mail.connection for mail in sink.mails}

    assert done.returncode == 0, done.stderr
    assert texts(sink) == ["child", "parent after", "parent before"]
    assert connection["parent before"] == connection["parent after"] != connection["child"]


def test_errors_queued_at_a_fork_are_sent_by_the_parent_only():
    gate = threading.Event()
    relay = Sink(answer=lambda _mail: "250 OK" if gate.wait(TIMEOUT) else "451").start()
    script = """
        for word in ("one", "two", "three"): logger.error(word)
        child = os.fork()
        if child == 0:
            assert handler.pending == handler.dropped == 0
            logger.error("child")
            print("forked", flush=True)
        else:
            os.waitpid(child, 0)
    """
    with start(script, relay.mailhost) as process:
        assert first_line(process) == "forked\n"
        gate.set()
        _, errors = process.communicate(timeout=2 * TIMEOUT)
    relay.stop()

    assert process.returncode == 0, errors
    assert texts(relay) == ["child", "one", "three", "two"]
    assert len(relay.attempted) == 4


def test_a_fork_without_fork_hooks_is_detected(sink):
    """A server written in C forks without Python's fork hooks, and its workers end without exit hooks.

    Supported only while no other thread runs: otherwise CPython itself fails.
    """
    done = run(
        """
        import ctypes
        libc = ctypes.PyDLL(None)  # keeps the interpreter lock during the call
        assert handler.pending == 0
        for number in range(2):
            if libc.fork() == 0:
                for word in ("one", "two", "one"):
                    logger.error("%s in worker %s", word, "ab"[number])
                handler.flush()
                os._exit(handler.pending + handler.dropped)
        print([os.wait()[1] for _ in range(2)])
        logger.error("in the master")
        """,
        sink.mailhost,
    )

    assert (done.returncode, done.stdout) == (0, "[0, 0]\n"), done.stderr
    assert sink.occurrences == 7
    assert sorted(set(texts(sink))) == [
        "in the master", "one in worker a", "one in worker b", "two in worker a", "two in worker b"
    ]  # fmt: skip


UWSGI = """
    import ctypes, types
    worker = 0
    sys.modules["uwsgi"] = types.SimpleNamespace(worker_id=lambda: worker, mule_id=lambda: 0)
    logger.error("while loading")
    print(threading.active_count(), handler.pending, handler.dropped, flush=True)
    if ctypes.PyDLL(None).fork() == 0:
        worker = 1
        logger.error("in a worker")
        print(threading.active_count(), flush=True)
        handler.flush()
        os._exit(0)
    os.wait()
"""
"""Simulates uWSGI's Python module in the master, then in a worker."""


def test_in_the_uwsgi_master_errors_are_delivered_without_a_thread(sink):
    """A thread in the master could hold the interpreter lock during the fork; the workers would hang for ever."""
    done = run(UWSGI, sink.mailhost)

    assert (done.returncode, done.stdout) == (0, "1 0 0\n2\n"), done.stderr
    assert texts(sink) == ["in a worker", "while loading"]
    assert len({mail.connection for mail in sink.mails}) == 2


def test_in_the_uwsgi_master_errors_wait_for_an_unavailable_relay():
    """They are sent when the master logs the next error, or ends."""
    relay = Sink().start()
    relay.stop()
    script = """
        import types
        sys.modules["uwsgi"] = types.SimpleNamespace(worker_id=lambda: 0, mule_id=lambda: 0)
        logger.error("one")
        print(threading.active_count(), handler.pending, flush=True)
        sys.stdin.readline()
        logger.error("two")
        print(threading.active_count(), handler.pending, flush=True)
    """
    with start(script, relay.mailhost) as process:
        assert first_line(process) == "1 1\n"
        relay.start()
        assert process.stdin is not None
        output, errors = process.communicate("go on\n", timeout=3 * TIMEOUT)
    relay.stop()

    assert (process.returncode, output) == (0, "1 0\n"), errors
    assert texts(relay) == ["one", "two"]


def test_another_module_named_uwsgi_has_no_effect(sink):
    done = run("import types; sys.modules['uwsgi'] = types.ModuleType('uwsgi'); logger.error('one')", sink.mailhost)

    assert (done.returncode, done.stderr) == (0, "")
    assert texts(sink) == ["one"]


def test_forks_during_a_storm_lose_no_error_and_do_not_hang(sink):
    """At a fork, threads of the parent may hold any lock."""
    done = run(
        """
        import itertools
        over = threading.Event()
        counts = []
        def storm(name):
            for number in itertools.count(1):
                logger.error("storm of %s %s", name, "abcdefgh"[number % 8])
                if over.is_set():
                    return counts.append(number)
        threads = [threading.Thread(target=storm, args=(name,)) for name in ("anna", "ben")]
        for thread in threads: thread.start()
        for number in range(20):
            child = os.fork()
            if child == 0:
                logger.error("child")
                handler.flush()
                os._exit(handler.pending)
            assert os.waitpid(child, 0)[1] == 0
        over.set()
        for thread in threads: thread.join()
        handler.flush()
        print(sum(counts) - handler.dropped)
        """,
        sink.mailhost,
    )
    children = [mail for mail in sink.mails if "child" in mail.text]

    assert done.returncode == 0, done.stderr
    assert len(children) == 20
    assert sink.occurrences + sum(mail.dropped for mail in sink.mails) == 20 + int(done.stdout)
    assert len({mail.record_id for mail in sink.mails}) == len(sink.mails)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_multiprocessing_child_delivers_before_it_ends(sink, tmp_path, method):
    """It ends without the exit hooks of the interpreter."""
    script = tmp_path / "jobs.py"
    script.write_text(
        PRELUDE
        + textwrap.dedent(f"""
            import multiprocessing

            def job(name):
                logger.error("job %s", name)

            if __name__ == "__main__":
                multiprocessing.set_start_method("{method}")
                jobs = [multiprocessing.Process(target=job, args=(name,)) for name in ("anna", "ben")]
                for each in jobs: each.start()
                for each in jobs: each.join()
                sys.exit(sum(each.exitcode for each in jobs))
        """)
    )
    done = subprocess.run(
        [sys.executable, script, "{}:{}".format(*sink.mailhost), str(TIMEOUT)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * TIMEOUT,
    )

    assert done.returncode == 0, done.stderr
    assert texts(sink) == ["job anna", "job ben"]


GUNICORN_APP = """
import os
from flask import Flask
from app_client.flask import ErrorMail

app = Flask("yourapplication")
app.config.update(ADMINS=["yourname@example.com"], ERROR_MAIL_HOST=os.environ["MAILHOST"])
ErrorMail(app)
app.logger.error("while loading in %d", os.getpid())

@app.get("/<name>")
def fail(name):
    raise LookupError(f"{name} in {os.getpid()}")
"""


@pytest.mark.parametrize("preload", [True, False], ids=["preload", "no preload"])
@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_under_gunicorn_every_worker_mails(sink, tmp_path, preload, worker):
    """With preload, the sending thread already runs when the workers are forked."""
    pytest.importorskip("gunicorn", reason="gunicorn is not installed")
    if worker == "gevent":
        pytest.importorskip("gevent", reason="gevent is not installed")
    (tmp_path / "yourapplication.py").write_text(GUNICORN_APP)
    command = [
        sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "2", "--worker-class", worker,
        "--threads", "2", "--worker-tmp-dir", str(tmp_path), "--no-control-socket",
        *(["--preload"] if preload else []), "yourapplication:app",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "MAILHOST": "{}:{}".format(*sink.mailhost)}
    log = tmp_path / "gunicorn.log"
    with log.open("w") as stderr, subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=stderr) as server:
        try:
            wait_until(lambda: log.read_text().count("Booting worker") == 2)
            [port] = re.findall(r"Listening at: http://127\.0\.0\.1:(\d+)", log.read_text())
            requests = fail_in_each_worker(sink, int(port))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(TIMEOUT)
    raised = [mail for mail in sink.mails if "LookupError" in mail.text]
    loaded = [mail for mail in sink.mails if "while loading" in mail.text]

    assert sum(mail.count for mail in raised) == requests
    assert sum(mail.count for mail in loaded) == (1 if preload else 2)
    assert all(mail.message["X-Error-Mail-App"] == "yourapplication" for mail in sink.mails)
    assert len(sink.mails) == len(sink.attempted)


def fail_in_each_worker(sink: Sink, port: int) -> int:
    """Send requests until both workers have mailed; returns the number of requests."""
    for requests in range(1, 200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        connection.request("GET", "/order")
        assert connection.getresponse().status == 500
        connection.close()
        if len({pid for mail in list(sink.mails) for pid in re.findall(r"order in (\d+)", mail.text)}) == 2:
            return requests
    raise AssertionError("only one worker ever answered")
