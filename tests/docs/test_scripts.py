"""Run the programs of docs/scripts.md: each fails, keeps its exit code, and its error reaches the relay."""

import shutil
import subprocess
import sys

import pytest

from tests.support.doc_snippets import received, replaced, run, running, snippets
from tests.support.mails import read_by_relay

BLOCKS = snippets("scripts.md")
SCRIPT, STANDARD, SHELL, MSMTP = BLOCKS.values()


def test_script_mails_its_uncaught_exception_and_keeps_its_exit_code(tmp_path, sink):
    (tmp_path / "nightly.py").write_text(replaced(SCRIPT, {"2525": str(sink.port), "/var/lib/nightly": str(tmp_path)}))
    done = run([sys.executable, "nightly.py"], tmp_path)

    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "LookupError: no such file: orders.csv")
    [mail] = sink.mails
    report = read_by_relay(mail.content)
    assert (report.app, report.trace.splitlines()[-1]) == ("nightly", "LookupError: no such file: orders.csv")


def test_next_run_of_the_script_sends_what_it_could_not_send(tmp_path, sink):
    code = replaced(SCRIPT, {"2525": str(sink.port), "/var/lib/nightly": str(tmp_path)})
    (tmp_path / "nightly.py").write_text(replaced(code, {'app="nightly",': 'app="nightly", exit_timeout=0.5,'}))
    sink.stop()
    assert run([sys.executable, "nightly.py"], tmp_path).returncode == 1
    sink.start()
    long = {'raise LookupError("no such file: orders.csv")': "import time; time.sleep(60)"}
    (tmp_path / "nightly.py").write_text(replaced(code, long))
    with running([sys.executable, "nightly.py"], tmp_path):
        [mail] = received(sink, 1)

    assert "LookupError: no such file: orders.csv" in mail.text


def test_script_without_app_client_mails_its_exception(tmp_path, sink):
    (tmp_path / "nightly.py").write_text(replaced(STANDARD, {"2525": str(sink.port)}))
    done = run([sys.executable, "-I", "nightly.py"], tmp_path)

    assert done.returncode == 1
    [mail] = sink.mails
    assert read_by_relay(mail.content).trace.splitlines()[-1] == "LookupError: no such file: orders.csv"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed (Debian's package `curl`)")
def test_shell_script_mails_the_output_of_a_command_that_fails(tmp_path, sink):
    program = tmp_path / "mail-failure"
    program.write_text(replaced(SHELL, {"2525": str(sink.port)}))
    program.chmod(0o755)
    worked = run([str(program), "true"], tmp_path)
    failed = run([str(program), "sh", "-c", "echo disk is full >&2; exit 3"], tmp_path)

    assert (worked.returncode, failed.returncode, failed.stderr) == (0, 3, "")
    [mail] = sink.mails
    assert mail.message["Subject"].endswith("] sh failed")
    assert mail.text.replace("\r", "") == "sh: exit code 3\n\ndisk is full\n"


@pytest.mark.skipif(shutil.which("msmtp") is None, reason="msmtp is not installed (Debian's package `msmtp`)")
def test_msmtp_sends_the_mails_of_cron_to_the_relay(tmp_path, sink):
    config = tmp_path / "msmtprc"
    config.write_text(replaced(MSMTP, {"2525": str(sink.port)}))
    config.chmod(0o600)
    mail = "From: root\nTo: root\nSubject: Cron <root@host> nightly-export\n\ndisk is full\n"
    subprocess.run(["msmtp", "-C", str(config), "root"], input=mail, text=True, check=True, timeout=30)

    assert "disk is full" in sink.mails[0].text


def test_every_snippet_is_run():
    assert list(BLOCKS) == [
        "A Python script 1 python",
        "Without app_client 1 python",
        "A shell script 1 sh",
        "All mails of cron 1 ini",
    ]
