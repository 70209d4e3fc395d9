"""Real processes: what happens when an interpreter ends, forks, or serves under gunicorn."""

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
from tests.support.smtp_sinks import PATIENCE, Sink, Unruly, closed_port, hang, texts, wait_until


def test_import_has_no_side_effects():
    """No Flask, nothing but the standard library, no thread, no handler, no hook."""
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


def test_sending_imports_nothing(guarded_sink):
    """A fork while the thread imports would leave the child half a module: all there is to import is so before."""
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
    done = run(script, guarded_sink.mailhost)

    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert len(guarded_sink.mails) == 4
    assert "~~~^^^" in guarded_sink.mails[3].text


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "raise SystemExit"], ids=["end", "exit", "raise"])
def test_what_waits_is_delivered_before_the_interpreter_ends(sink, ending):
    done = run(f"for word in ('one', 'two', 'three'): logger.error(word)\n{ending}", sink.mailhost)

    assert (done.returncode, done.stderr) == (0, "")
    assert texts(sink) == ["one", "three", "two"]


def test_an_error_logged_at_exit_is_delivered(sink):
    """When newer Pythons no longer start threads."""
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


def test_a_relay_that_comes_back_during_exit_gets_it_all():
    relay = Sink().start()
    relay.stop()
    with start("logger.error('one'); logger.error('two'); print('over', flush=True)", relay.mailhost) as process:
        first_line(process)
        relay.start()
        _, complaints = process.communicate(timeout=2 * PATIENCE)
    relay.stop()

    assert process.returncode == 0, complaints
    assert texts(relay) == ["one", "two"]


@pytest.mark.parametrize("relay", ["hanging", "absent"])
def test_the_interpreter_ends_in_time_whatever_the_relay_does(relay):
    """And says on stderr what is lost."""
    with Unruly(hang) as hanging:
        mailhost = hanging.mailhost if relay == "hanging" else ("127.0.0.1", closed_port())
        done = run("for _ in range(3): logger.error('one')", mailhost, exit_timeout=0.3)

    assert done.returncode == 0
    assert "closed before the relay took the last ones, which are dropped (3)\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_forked_child_sends_its_own_and_the_parent_goes_on(sink):
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


def test_what_waits_at_a_fork_is_sent_by_the_parent_alone():
    gate = threading.Event()
    relay = Sink(answer=lambda _mail: "250 OK" if gate.wait(PATIENCE) else "451").start()
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
        _, complaints = process.communicate(timeout=2 * PATIENCE)
    relay.stop()

    assert process.returncode == 0, complaints
    assert texts(relay) == ["child", "one", "three", "two"]
    assert len(relay.tried) == 4


def test_a_server_that_forks_without_a_word_to_python(sink):
    """As a server written in C does: none of Python's hooks runs, and the worker leaves without the exit hooks.

    Only while no other thread runs: CPython itself does not survive it else.
    """
    done = run(
        """
        import ctypes
        libc = ctypes.PyDLL(None)  # which keeps the interpreter's lock over the call
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
"""What uWSGI shows of itself in its master, and then in a worker."""


def test_in_uwsgis_master_no_thread_is_started_and_errors_are_delivered_all_the_same(sink):
    """A thread that runs there when the workers are forked may leave them without the interpreter's lock, for good."""
    done = run(UWSGI, sink.mailhost)

    assert (done.returncode, done.stdout) == (0, "1 0 0\n2\n"), done.stderr
    assert texts(sink) == ["in a worker", "while loading"]
    assert len({mail.connection for mail in sink.mails}) == 2


def test_in_uwsgis_master_errors_wait_when_the_relay_is_away():
    """Until the master ends, or logs again."""
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
        output, complaints = process.communicate("go on\n", timeout=3 * PATIENCE)
    relay.stop()

    assert (process.returncode, output) == (0, "1 0\n"), complaints
    assert texts(relay) == ["one", "two"]


def test_a_module_that_only_has_uwsgis_name_changes_nothing(sink):
    done = run("import types; sys.modules['uwsgi'] = types.ModuleType('uwsgi'); logger.error('one')", sink.mailhost)

    assert (done.returncode, done.stderr) == (0, "")
    assert texts(sink) == ["one"]


def test_forks_in_the_midst_of_a_storm_lose_nothing_and_hang_nobody(sink):
    """Threads of the parent hold any lock there is at the moment of a fork."""
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
    """It leaves without the interpreter's exit hooks."""
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
        [sys.executable, script, "{}:{}".format(*sink.mailhost), str(PATIENCE)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * PATIENCE,
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
    """With preload, the handler's thread runs already when the workers are forked."""
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
            asked = fail_in_each_worker(sink, int(port))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(PATIENCE)
    raised = [mail for mail in sink.mails if "LookupError" in mail.text]
    loaded = [mail for mail in sink.mails if "while loading" in mail.text]

    assert sum(mail.count for mail in raised) == asked
    assert sum(mail.count for mail in loaded) == (1 if preload else 2)
    assert all(mail.message["X-Error-Mail-App"] == "yourapplication" for mail in sink.mails)
    assert len(sink.mails) == len(sink.tried)


def fail_in_each_worker(sink: Sink, port: int) -> int:
    """Ask until mails of both workers have come; returns how many requests that took."""
    for asked in range(1, 200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/order")
        assert connection.getresponse().status == 500
        connection.close()
        if len({pid for mail in list(sink.mails) for pid in re.findall(r"order in (\d+)", mail.text)}) == 2:
            return asked
    raise AssertionError("only one worker ever answered")
