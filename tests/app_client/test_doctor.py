"""`flask error-mail doctor` in a separate process, with a real SMTP server and real files."""

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

from app_client.delivery.fallback import Fallback, Mail
from app_client.doctor import _RELAY_KEYWORD, Finding, check_fallback
from app_client.flask import ErrorMail
from relay import SMTP_KEYWORD
from tests.support.disks import mount_tmpfs
from tests.support.paths import ROOT
from tests.support.smtp_sinks import TIMEOUT, MisbehavingServer, Sink, answer_lines, closed_port

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
"""Runs as another user. Imports come first, because that user may not be able to read the interpreter's files."""

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def doctor(folder, sink) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs the doctor for an app with the given settings, as the given user."""

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
            cwd="/", env=kept, capture_output=True, text=True, check=False, timeout=3 * TIMEOUT,
        )  # fmt: skip

    return call


def lines(done: subprocess.CompletedProcess) -> dict[str, str]:
    """Return the lines of the output by the name of the check."""
    return {line.split(":")[0].split()[1]: line for line in done.stdout.splitlines()}


def test_all_checks_pass(doctor, sink, folder):
    done = doctor(ERROR_LOG_FILE=str(folder / "shop.log"))

    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done)["user"].startswith("ok    user: ")
    assert f"({os.geteuid()}) in the groups " in lines(done)["user"]
    assert lines(done)["user"].endswith("in /")
    assert lines(done)["debug"] == "ok    debug: off"
    assert lines(done)["file"] == f"ok    file: {folder}/shop.log can be written"
    assert lines(done)["mail"] == "ok    mail: to yourname@example.com"
    assert lines(done)["relay"] == f"ok    relay: 127.0.0.1 port {sink.port} is the error-mail relay: sink.test"
    assert done.stdout.count("\n") == 5
    assert not sink.attempted


def test_a_test_error_is_sent_like_any_other_error(doctor, sink):
    done = doctor("--send-test")
    [mail] = sink.mails

    assert done.returncode == 0
    assert lines(done)["test"].startswith("ok    test: the relay accepted a test error for yourname@example.com; ")
    assert "reported after 10 s, or up to 5 min later while other new errors keep coming" in lines(done)["test"]
    assert mail.message["X-Error-Mail-App"] == "yourapplication"
    assert "Test of the error mails\nTraceback (most recent call last):\n" in mail.text
    assert mail.text.rstrip().endswith("nothing is wrong")


def test_a_test_error_that_is_refused_fails(doctor):
    refusing = Sink(lambda _mail: "554 5.7.1 not from here").start()
    done = doctor("--send-test", ERROR_MAIL_HOST=refusing.mailhost)
    refusing.stop()

    assert done.returncode == 1
    assert lines(done)["test"] == "FAIL  test: the relay refused the test error, or it could not be formatted"
    assert "554 5.7.1 not from here" in done.stderr


def test_a_missing_relay_fails(doctor):
    port = closed_port()
    done = doctor("--send-test", ERROR_MAIL_HOST=f"127.0.0.1:{port}")

    assert done.returncode == 1
    assert lines(done)["relay"].startswith(f"FAIL  relay: 127.0.0.1 port {port} cannot be used: ")
    assert "Connection refused" in lines(done)["relay"]
    assert lines(done)["test"] == "FAIL  test: not sent: the relay cannot be used"


def test_a_server_that_is_no_relay_fails(doctor):
    def web_server(connection) -> None:
        list(answer_lines(connection, b"HTTP/1.0 400 Bad\r\n\x1b[2J\r\n\r\n"))

    with MisbehavingServer(web_server) as other:
        done = doctor(ERROR_MAIL_HOST=other.mailhost)

    assert done.returncode == 1
    assert lines(done)["relay"].startswith("FAIL  relay: ")
    assert "\x1b" not in done.stdout


def test_another_mail_server_on_the_port_fails_and_is_named(doctor):
    """Many machines have an MTA on port 25."""
    other = Sink(keywords=(), ident="mail.acme.test ESMTP Postfix (Debian/GNU)").start()
    done = doctor("--send-test", ERROR_MAIL_HOST=other.mailhost)
    other.stop()

    assert done.returncode == 1
    assert lines(done)["relay"] == (
        f"FAIL  relay: 127.0.0.1 port {other.port} is another mail server, not the error-mail relay: "
        "sink.test mail.acme.test ESMTP Postfix (Debian/GNU); name the relay's port, or free this one for the relay"
    )
    assert lines(done)["test"] == "FAIL  test: not sent: the relay cannot be used"
    assert not other.attempted


def test_doctor_and_relay_agree_on_the_keyword():
    assert SMTP_KEYWORD.lower() == _RELAY_KEYWORD


def test_a_failed_login_does_not_print_the_password(doctor, login_sink):
    done = doctor(
        ERROR_MAIL_HOST=login_sink.mailhost, ERROR_MAIL_CREDENTIALS=("app", "a-wrong-password"), ERROR_MAIL_SECURE=()
    )

    assert done.returncode == 1
    assert "SMTPAuthenticationError: 535" in lines(done)["relay"]
    assert "a-wrong-password" not in done.stdout + done.stderr


def test_a_successful_login_passes(doctor, login_sink):
    done = doctor(
        ERROR_MAIL_HOST=login_sink.mailhost, ERROR_MAIL_CREDENTIALS=("app", "the-password"), ERROR_MAIL_SECURE=()
    )

    assert done.returncode == 0


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"ADMINS": []}, 'FAIL  mail: app.config["ADMINS"] is not set: list the recipients of the error mails there'),
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
def test_each_problem_has_its_line(doctor, settings, line):
    """Also with settings for which the set-up of the app fails."""
    done = doctor(**settings)

    assert line in done.stdout
    assert done.returncode == (1 if line.startswith("FAIL") else 0)
    assert lines(done).keys() >= {"user", "debug", "file", "mail"}
    assert "Traceback" not in done.stderr


def test_a_misspelt_key_of_the_configuration_fails(doctor):
    done = doctor(ERROR_MAIL_HOSTT="relay", ERROR_LOG_FIEL="/tmp/x", ERROR_404_HELP=True)

    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if " config: " in line] == [
        f'FAIL  config: app.config["{wrong}"] is no setting of error mails and is ignored; did you mean {right}?'
        for wrong, right in (("ERROR_LOG_FIEL", "ERROR_LOG_FILE"), ("ERROR_MAIL_HOSTT", "ERROR_MAIL_HOST"))
    ]


def test_a_fallback_folder_is_checked_and_not_changed(doctor, sink, folder):
    """Even with a working relay and `--send-test` the doctor sends none of the waiting mails."""
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
    """Create a fallback folder with one mail for each count."""
    place = folder / "error-mails"
    for count in counts:
        mail = Mail(sender="a@example.com", recipients=["b@example.com"], content=b"Subject: x\r\n\r\nx\r\n")
        Fallback(place).store(mail, created=0.0, record_id=uuid.uuid4().hex, count=count)
    return place


def test_a_missing_fallback_folder_is_not_created(doctor, folder):
    done = doctor(ERROR_MAIL_FALLBACK=str(folder / "new" / "error-mails"))

    assert done.returncode == 0
    assert lines(done)["fallback"] == f"ok    fallback: {folder}/new/error-mails can be written"
    assert not (folder / "new").exists()


def test_without_a_fallback_folder_there_is_no_line(doctor):
    assert "fallback" not in doctor().stdout


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        ("file", "cannot be used: {place} is not a folder"),
        ("below a file", "cannot be used: {parent} is not a folder"),
        ("open to all", "is not used, because every user may write to it{owner}"),
        ("number", 'app.config["ERROR_MAIL_FALLBACK"]: expected str, bytes or os.PathLike object, not int'),
    ],
)
def test_an_unusable_fallback_folder_fails(doctor, folder, problem, expected):
    place = folder / "error-mails"
    if problem == "open to all":
        place.mkdir()
        place.chmod(0o777)
    else:
        place.write_text("no folder")
    setting = {"number": 17, "below a file": str(place / "below")}.get(problem, str(place))

    done = doctor(ERROR_MAIL_FALLBACK=setting)

    assert done.returncode == 1
    assert "FAIL  fallback: " in done.stdout or "FAIL  mail: " in done.stdout
    owner = "; its owner is " if known_to_the_system() else ""
    assert expected.format(place=place, parent=place, owner=owner) in done.stdout


def known_to_the_system():
    """Return True if this user has a name; in a container some users have none."""
    try:
        return bool(pwd.getpwuid(os.geteuid()))
    except KeyError:
        return False


def test_an_invalid_fallback_folder_is_refused_at_set_up():
    app = Flask("shop")
    app.config.update(ADMINS="yourname@example.com", ERROR_MAIL_FALLBACK=17)

    with pytest.raises(ValueError, match=r'app.config\["ERROR_MAIL_FALLBACK"\]: expected str'):
        ErrorMail(app)


def test_a_full_fallback_folder_fails(folder, monkeypatch):
    place = fallback_of(folder, 1, 1)
    monkeypatch.setattr(Fallback.__init__, "__kwdefaults__", {"max_files": 2, "max_bytes": 10_000})

    finding = check_fallback(place)

    assert not finding.ok
    assert "is full: it has reached its limit of files or bytes; mails waiting: 2, for 2 errors, " in finding.text


@needs_root
def test_a_fallback_folder_of_another_user_fails(doctor, folder):
    """For example, a folder that an administrator created by a manual test."""
    waiting = fallback_of(folder, 1)

    done = doctor(ERROR_MAIL_FALLBACK=str(waiting), user=NOBODY)
    fresh = doctor(ERROR_MAIL_FALLBACK=str(folder / "fresh"), user=NOBODY)

    assert (done.returncode, fresh.returncode) == (1, 1)
    assert lines(done)["fallback"] == (
        f"FAIL  fallback: {waiting} cannot be used: nobody may not read and write {waiting}; "
        "its owner is root, its mode 0700"
    )
    assert f"nobody may not write to {folder}; its owner is root, its mode 0755" in lines(fresh)["fallback"]


@needs_root
def test_a_fallback_folder_on_a_full_or_read_only_disk_fails(folder):
    mount_tmpfs(folder, "size=64k,mode=0755")
    try:
        place = fallback_of(folder, 1)
        full = check_fallback(place)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        read_only = check_fallback(place)
    finally:
        subprocess.run(["umount", str(folder)], check=True)

    assert not full.ok
    assert "is full: its file system has 0.1 MiB left; mails waiting: 1, for 1 error, " in full.text
    assert not read_only.ok
    assert f"{place} cannot be used: root may not read and write {place}" in read_only.text


def test_debug_mode_of_the_command_line_fails(doctor):
    assert "FAIL  debug: debug mode is on" in doctor(app_debug=True).stdout


def test_other_commands_fail_with_an_invalid_configuration(doctor, folder):
    doctor(ADMINS=[])
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "shop", "routes"],
        cwd=folder, env=os.environ | {"PYTHONPATH": f"{folder}:{ROOT}"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert 'ValueError: app.config["ADMINS"] is not set' in done.stderr


@needs_root
def test_a_log_file_of_root_fails_for_the_deployed_user(doctor, folder):
    """The case of the guide: it works for the developer, but the deployed user cannot write the file."""
    log = folder / "shop.log"
    log.touch(mode=0o644)

    assert doctor(BY_HAND=str(log)).returncode == 0
    done = doctor(BY_HAND=str(log), user=NOBODY)

    assert done.returncode == 1, done.stderr
    assert "FAIL  file: " in done.stdout
    assert f"{log} cannot be written by nobody: Permission denied; its owner is root, its mode 0644" in done.stdout


@needs_root
def test_the_documented_output_is_the_real_one(doctor, sink, folder):
    log = folder / "yourapplication.log"
    log.touch(mode=0o644)
    page = (ROOT / "docs" / "app-client.md").read_text()
    documented = re.findall(r"^    ((?:ok|FAIL) .*\n)", page.partition("### The doctor")[2], re.MULTILINE)

    place = fallback_of(folder, *[20] * 2)
    for path in [place, *place.iterdir()]:
        os.chown(path, NOBODY, NOBODY)
    (place / "padding").write_bytes(bytes(100_000))
    done = doctor("--send-test", BY_HAND=str(log), ERROR_MAIL_FALLBACK=str(place), user=NOBODY)

    output = done.stdout.replace(str(place), "/var/lib/yourapplication/error-mails")
    output = output.replace(str(log), "/var/log/yourapplication.log").replace(f"port {sink.port}", "port 2525")
    output = (
        re.sub("nobody|nogroup", "www-data", output)
        .replace(str(NOBODY), "33")
        .replace("sink.test", "relay.example.com")
    )
    assert output.replace("; in /\n", "; in /srv/yourapplication\n") == "".join(documented)


@needs_root
def test_rotation_fails_in_a_folder_that_the_deployed_user_may_not_write_to(doctor, folder):
    log = folder / "shop.log"
    log.touch()
    log.chmod(0o666)

    done = doctor(BY_HAND=str(log), user=NOBODY)
    fresh = doctor(BY_HAND=str(folder / "fresh.log"), user=NOBODY)

    for each in (done, fresh):
        assert each.returncode == 1, each.stderr
        assert f"nobody may not write to {folder}; its owner is root" in each.stdout
    assert not (folder / "fresh.log").exists()


@needs_root
def test_option_user_fails_for_another_user(doctor):
    right, wrong = doctor("--user", "nobody", user=NOBODY), doctor("--user", "nobody")

    assert right.returncode == 0, right.stdout + right.stderr
    assert lines(right)["user"] == "ok    user: nobody (65534) in the groups nogroup (65534); in /"
    assert wrong.returncode == 1
    assert "the app is deployed as nobody: run the doctor again as that user" in lines(wrong)["user"]


def test_a_finding_is_one_line():
    assert str(Finding(name="file", ok=True, text="a\nok   user: root\x1b[0m")) == "ok    file: a ok   user: root [0m"


def test_every_app_has_its_own_command():
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
