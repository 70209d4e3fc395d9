"""`flask error-mail doctor` as it is called: in a process of its own, with a real SMTP server and real files."""

import logging
import os
import pwd
import re
import subprocess
import sys
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app_client.delivery.fallback import Fallback, OutboxMessage
from app_client.doctor import Finding, examine_fallback
from app_client.flask import ErrorMail
from tests.support.disks import mount_tmpfs
from tests.support.paths import ROOT
from tests.support.smtp_sinks import PATIENCE, Sink, Unruly, closed_port, converse

NOBODY = 65534

APP = """
    import logging, os
    from logging.handlers import RotatingFileHandler
    from flask import Flask
    from app_client.flask import ErrorMail

    app = Flask("yourapplication")
    app.config.from_pyfile("{folder}/settings.py")
    by_hand = app.config.get("BY_HAND")
    if by_hand:
        app.logger.addHandler(RotatingFileHandler(by_hand, maxBytes=1000, backupCount=1, delay=True))
    ErrorMail(app)
"""

AS_USER = """
import grp, os, pwd, sys, app_client.flask, flask.cli
user = int(sys.argv.pop(1))
os.setgroups([]); os.setgid(user); os.setuid(user)
flask.cli.main()
"""
"""As another user, who may be kept from the interpreter's own files: it is loaded before."""

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that any user may enter, as none of pytest's is."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def doctor(folder, sink) -> Callable[..., subprocess.CompletedProcess]:
    """Calls it for an app with these settings; `user` is who calls."""

    def call(
        *options: str, user: int | None = None, app_debug: bool = False, **settings
    ) -> subprocess.CompletedProcess:
        settings = {"ADMINS": ["yourname@example.com"], "ERROR_MAIL_HOST": sink.mailhost, **settings}
        (folder / "shop.py").write_text(textwrap.dedent(APP.format(folder=folder)))
        (folder / "settings.py").write_text("".join(f"{key} = {value!r}\n" for key, value in settings.items()))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLASK_")}
        kept |= {"PYTHONPATH": f"{folder}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        flask = ["-m", "flask"] if user is None else ["-c", AS_USER, str(user)]
        return subprocess.run(
            [sys.executable, *flask, "--app", "shop", *(["--debug"] if app_debug else []),
             "error-mail", "doctor", *options],
            cwd="/", env=kept, capture_output=True, text=True, check=False, timeout=3 * PATIENCE,
        )  # fmt: skip

    return call


def lines(done: subprocess.CompletedProcess) -> dict[str, str]:
    """By name, each with its verdict."""
    return {line.split(":")[0].split()[1]: line for line in done.stdout.splitlines()}


def test_all_is_well(doctor, sink, folder):
    done = doctor(ERROR_LOG_FILE=str(folder / "shop.log"))

    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done)["user"].startswith("ok    user: ")
    assert f"({os.geteuid()}) in the groups " in lines(done)["user"]
    assert lines(done)["user"].endswith("in /")
    assert lines(done)["debug"] == "ok    debug: off"
    assert lines(done)["file"] == f"ok    file: {folder}/shop.log can be written"
    assert lines(done)["mail"] == "ok    mail: to yourname@example.com"
    assert lines(done)["relay"] == f"ok    relay: 127.0.0.1 port {sink.port} answers: sink.test"
    assert done.stdout.count("\n") == 5
    assert not sink.tried


def test_a_test_error_goes_the_way_of_every_other(doctor, sink):
    done = doctor("--send-test")
    [mail] = sink.mails

    assert done.returncode == 0
    assert lines(done)["test"] == "ok    test: the relay took a test error for yourname@example.com"
    assert mail.message["X-Error-Mail-App"] == "yourapplication"
    assert "Test of the error mails\nTraceback (most recent call last):\n" in mail.text
    assert mail.text.rstrip().endswith("nothing is wrong")


def test_a_test_error_that_is_refused_fails(doctor):
    refusing = Sink(lambda _mail: "554 5.7.1 not from here").start()
    done = doctor("--send-test", ERROR_MAIL_HOST=refusing.mailhost)
    refusing.stop()

    assert done.returncode == 1
    assert lines(done)["test"] == "FAIL  test: the test error was refused or could not be made"
    assert "554 5.7.1 not from here" in done.stderr


def test_a_relay_that_is_not_there(doctor):
    port = closed_port()
    done = doctor("--send-test", ERROR_MAIL_HOST=f"127.0.0.1:{port}")

    assert done.returncode == 1
    assert lines(done)["relay"].startswith(f"FAIL  relay: 127.0.0.1 port {port} does not answer as it should: ")
    assert "Connection refused" in lines(done)["relay"]
    assert lines(done)["test"] == "FAIL  test: not sent: the relay does not answer"


def test_something_else_than_a_relay(doctor):
    def web_server(connection) -> None:
        list(converse(connection, b"HTTP/1.0 400 Bad\r\n\x1b[2J\r\n\r\n"))

    with Unruly(web_server) as other:
        done = doctor(ERROR_MAIL_HOST=other.mailhost)

    assert done.returncode == 1
    assert lines(done)["relay"].startswith("FAIL  relay: ")
    assert "\x1b" not in done.stdout


def test_a_login_that_fails_keeps_the_password(doctor, guarded_sink):
    done = doctor(
        ERROR_MAIL_HOST=guarded_sink.mailhost, ERROR_MAIL_CREDENTIALS=("app", "a-wrong-password"), ERROR_MAIL_SECURE=()
    )

    assert done.returncode == 1
    assert "SMTPAuthenticationError: 535" in lines(done)["relay"]
    assert "a-wrong-password" not in done.stdout + done.stderr


def test_a_login_that_works(doctor, guarded_sink):
    done = doctor(
        ERROR_MAIL_HOST=guarded_sink.mailhost, ERROR_MAIL_CREDENTIALS=("app", "the-password"), ERROR_MAIL_SECURE=()
    )

    assert done.returncode == 0


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"ADMINS": []}, 'FAIL  mail: app.config["ADMINS"] is not set: list there who gets the error mails'),
        ({"ADMINS": "nobody"}, "ok    mail: to nobody"),
        ({"ERROR_MAIL_HOST": "relay:smtp"}, 'FAIL  mail: app.config["ERROR_MAIL_HOST"]: the port'),
        (
            {"ERROR_LOG_FILE": "/no/such/folder/shop.log"},
            'FAIL  file: app.config["ERROR_LOG_FILE"]: the folder /no/such',
        ),
        ({"BY_HAND": "/"}, "FAIL  file: / cannot be written by "),
        ({"TESTING": True}, "FAIL  debug: testing mode is on"),
        ({"DEBUG": True, "TESTING": True}, "FAIL  debug: debug and testing mode is on"),
    ],
    ids=str,
)
def test_each_trouble_has_its_line(doctor, settings, line):
    """With settings that keep the app from coming up at all, too."""
    done = doctor(**settings)

    assert line in done.stdout
    assert done.returncode == (1 if line.startswith("FAIL") else 0)
    assert lines(done).keys() >= {"user", "debug", "file", "mail"}
    assert "Traceback" not in done.stderr


def test_a_fallback_folder_is_looked_at_and_left_as_it_is(doctor, sink, folder):
    """Even with the relay there to take what waits, and `--send-test`: it is not the doctor's to send."""
    waiting = fallback_of(folder, 3, 7)
    before = sorted(path.name for path in waiting.iterdir())

    done = doctor("--send-test", ERROR_MAIL_FALLBACK=str(waiting))

    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done)["fallback"] == (
        f"ok    fallback: {waiting} can be written; mails waiting: 2, for 10 errors, 0.0 of 64 MiB"
    )
    assert sorted(path.name for path in waiting.iterdir()) == before
    assert ["Test of the error mails" in mail.text for mail in sink.mails] == [True]


def fallback_of(folder: Path, *counts: int) -> Path:
    """A folder in which mails wait that stand for so many errors each."""
    place = folder / "error-mails"
    for count in counts:
        letter = OutboxMessage(sender="a@example.com", recipients=["b@example.com"], content=b"Subject: x\r\n\r\nx\r\n")
        Fallback(place).store(letter, created=0.0, record_id=uuid.uuid4().hex, count=count)
    return place


def test_a_fallback_folder_that_is_not_there_is_not_made(doctor, folder):
    done = doctor(ERROR_MAIL_FALLBACK=str(folder / "new" / "error-mails"))

    assert done.returncode == 0
    assert lines(done)["fallback"] == f"ok    fallback: {folder}/new/error-mails can be written"
    assert not (folder / "new").exists()


def test_without_a_fallback_folder_nothing_is_said_of_one(doctor):
    assert "fallback" not in doctor().stdout


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("file", "cannot be used: {place} is no folder"),
        ("below a file", "cannot be used: {parent} is no folder"),
        ("open to all", "is not used, because anybody may write to it{owner}"),
        ("number", 'app.config["ERROR_MAIL_FALLBACK"]: expected str, bytes or os.PathLike object, not int'),
    ],
)
def test_a_fallback_folder_that_cannot_be_used_has_its_line(doctor, folder, trouble, told):
    place = folder / "error-mails"
    if trouble == "open to all":
        place.mkdir()
        place.chmod(0o777)
    else:
        place.write_text("no folder")
    setting = {"number": 17, "below a file": str(place / "below")}.get(trouble, str(place))

    done = doctor(ERROR_MAIL_FALLBACK=setting)

    assert done.returncode == 1
    assert "FAIL  fallback: " in done.stdout or "FAIL  mail: " in done.stdout
    owner = "; it belongs to " if known_to_the_system() else ""
    assert told.format(place=place, parent=place, owner=owner) in done.stdout


def known_to_the_system():
    """Whether this user has a name, which in a container not everybody has."""
    try:
        return bool(pwd.getpwuid(os.geteuid()))
    except KeyError:
        return False


def test_a_wrong_fallback_folder_keeps_the_app_from_coming_up():
    app = Flask("shop")
    app.config.update(ADMINS="yourname@example.com", ERROR_MAIL_FALLBACK=17)

    with pytest.raises(ValueError, match=r'app.config\["ERROR_MAIL_FALLBACK"\]: expected str'):
        ErrorMail(app)


def test_a_fallback_folder_that_is_full_has_its_line(folder, monkeypatch):
    place = fallback_of(folder, 1, 1)
    monkeypatch.setattr(Fallback.__init__, "__kwdefaults__", {"max_files": 2, "max_bytes": 10_000})

    finding = examine_fallback(place)

    assert not finding.ok
    assert "can hold no more: it holds as much as it may; mails waiting: 2, for 2 errors, " in finding.text


@needs_root
def test_a_fallback_folder_of_another_user_is_not_the_deployed_users(doctor, folder):
    """Made under one's own user, by a first try by hand."""
    waiting = fallback_of(folder, 1)

    done = doctor(ERROR_MAIL_FALLBACK=str(waiting), user=NOBODY)
    fresh = doctor(ERROR_MAIL_FALLBACK=str(folder / "fresh"), user=NOBODY)

    assert (done.returncode, fresh.returncode) == (1, 1)
    assert lines(done)["fallback"] == (
        f"FAIL  fallback: {waiting} cannot be used: {waiting} is closed to nobody; it belongs to root, mode 0700"
    )
    assert f"{folder} is closed to nobody; it belongs to root, mode 0755" in lines(fresh)["fallback"]


@needs_root
def test_a_fallback_folder_on_a_full_or_read_only_disk_has_its_line(folder):
    mount_tmpfs(folder, "size=64k,mode=0755")
    try:
        place = fallback_of(folder, 1)
        full = examine_fallback(place)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        read_only = examine_fallback(place)
    finally:
        subprocess.run(["umount", str(folder)], check=True)

    assert not full.ok
    assert "can hold no more: its file system has 0.1 MiB left; mails waiting: 1, for 1 errors, " in full.text
    assert not read_only.ok
    assert f"{place} cannot be used: {place} is closed to root" in read_only.text


def test_debug_by_the_command_line_counts(doctor):
    assert "FAIL  debug: debug mode is on" in doctor(app_debug=True).stdout


def test_other_commands_still_fail_for_a_wrong_configuration(doctor, folder):
    doctor(ADMINS=[])
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "shop", "routes"],
        cwd=folder, env=os.environ | {"PYTHONPATH": f"{folder}:{ROOT}"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert 'ValueError: app.config["ADMINS"] is not set' in done.stderr


@needs_root
def test_a_file_of_roots_is_not_the_deployed_users(doctor, folder):
    """The guide's own case: under one's own user all is well, under the deployed one nothing is written."""
    log = folder / "shop.log"
    log.touch(mode=0o644)

    assert doctor(BY_HAND=str(log)).returncode == 0
    done = doctor(BY_HAND=str(log), user=NOBODY)

    assert done.returncode == 1, done.stderr
    assert "FAIL  file: " in done.stdout
    assert f"{log} cannot be written by nobody: Permission denied; it belongs to root, mode 0644" in done.stdout


@needs_root
def test_the_documented_answer_is_what_it_says(doctor, sink, folder):
    log = folder / "yourapplication.log"
    log.touch(mode=0o644)
    page = (ROOT / "docs" / "app-client.md").read_text()
    documented = re.findall(r"^    ((?:ok|FAIL) .*\n)", page.partition("### The doctor")[2], re.MULTILINE)

    place = fallback_of(folder, *[20] * 2)
    for path in [place, *place.iterdir()]:
        os.chown(path, NOBODY, NOBODY)
    (place / "padding").write_bytes(bytes(100_000))
    done = doctor("--send-test", BY_HAND=str(log), ERROR_MAIL_FALLBACK=str(place), user=NOBODY)

    said = done.stdout.replace(str(place), "/var/lib/yourapplication/error-mails")
    said = said.replace(str(log), "/var/log/yourapplication.log").replace(f"port {sink.port}", "port 2525")
    said = (
        re.sub("nobody|nogroup", "www-data", said).replace(str(NOBODY), "33").replace("sink.test", "relay.example.com")
    )
    assert said.replace("; in /\n", "; in /srv/yourapplication\n") == "".join(documented)


@needs_root
def test_a_folder_closed_to_the_deployed_user_cannot_hold_rotated_files(doctor, folder):
    log = folder / "shop.log"
    log.touch()
    log.chmod(0o666)

    done = doctor(BY_HAND=str(log), user=NOBODY)
    fresh = doctor(BY_HAND=str(folder / "fresh.log"), user=NOBODY)

    for each in (done, fresh):
        assert each.returncode == 1, each.stderr
        assert f"{folder} is closed to nobody; it belongs to root" in each.stdout
    assert not (folder / "fresh.log").exists()


@needs_root
def test_the_user_it_is_asked_for_must_be_the_one_who_asks(doctor):
    right, wrong = doctor("--user", "nobody", user=NOBODY), doctor("--user", "nobody")

    assert right.returncode == 0, right.stdout + right.stderr
    assert lines(right)["user"] == "ok    user: nobody (65534) in the groups nogroup (65534); in /"
    assert wrong.returncode == 1
    assert "the app is deployed as nobody: ask again as that user" in lines(wrong)["user"]


def test_a_finding_is_one_line():
    assert str(Finding(name="file", ok=True, text="a\nok   user: root\x1b[0m")) == "ok    file: a ok   user: root [0m"


def test_every_app_has_the_command_of_its_own():
    apps = [Flask("shop"), Flask("forum")]
    extension = ErrorMail()
    for app in apps:
        app.config.update(ADMINS=["yourname@example.com"], ERROR_MAIL_HOST=f"127.0.0.1:{closed_port()}", DEBUG=True)
        extension.init_app(app)
        extension.init_app(app)

    for app in apps:
        result = app.test_cli_runner().invoke(args=["error-mail", "doctor"])
        assert result.exit_code == 1
        assert "FAIL  debug: debug mode is on" in result.output
        assert not [each for each in logging.getLogger(app.name).handlers if isinstance(each, logging.FileHandler)]
