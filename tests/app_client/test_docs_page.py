"""Run each example of docs/app-client.md, let an app fail, and check the result that the page describes.

Only addresses differ: the port of the relay, the folder of the logs and the addresses of syslog are those of the test.
"""

import json
import logging
import re
import socket
from pathlib import Path

import pytest
from flask import Flask

from app_client import ErrorMailHandler
from app_client.flask import KEY
from tests.support.paths import DOCS
from tests.support.smtp_sinks import wait_until

PAGE = DOCS / "app-client.md"
ELSEWHERE = {"The seven situations", "Debugging"}
"""Sections whose examples are tested elsewhere."""


def snippets() -> dict[str, str]:
    """Return the Python examples of the page, by heading and number within the section."""
    found = {}
    for section in re.split(r"^#+ ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        for number, code in enumerate(re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL), 1):
            if heading not in ELSEWHERE:
                found[f"{heading} {number}"] = code
    return found


class Environment:
    """The environment of the examples: an app, a relay, a folder for logs, and syslog servers."""

    def __init__(self, folder: Path, sink) -> None:
        self.folder, self.sink = folder, sink
        self.syslogs = [
            socket.socket(family, kind)
            for family, kind in (
                (socket.AF_UNIX, socket.SOCK_DGRAM),
                (socket.AF_INET, socket.SOCK_DGRAM),
                (socket.AF_INET, socket.SOCK_STREAM),
            )
        ]
        for server in self.syslogs:
            server.settimeout(20)
            server.bind(str(folder / "log") if server.family == socket.AF_UNIX else ("127.0.0.1", 0))
        self.syslogs[2].listen()

    def run(self, code: str) -> dict:
        """Run an example; returns its variables. Its `app` fails at /fail."""
        udp, tcp = (server.getsockname()[1] for server in self.syslogs[1:])
        for documented, here in {
            "2525": str(self.sink.port),
            "/var/log/yourapplication": str(self.folder),
            "/var/log/no-such-folder": str(self.folder / "no-such-folder"),
            "/var/lib/yourapplication": str(self.folder),
            "/dev/log": str(self.folder / "log"),
            "logs.example.com:514": f"127.0.0.1:{udp}",
            "logs.example.com:601": f"127.0.0.1:{tcp}",
        }.items():
            code = code.replace(documented, here)
        app = Flask("yourapplication")
        app.config["ERROR_MAIL_HOST"] = self.sink.mailhost
        names = {"app": app}
        exec(compile(code, PAGE.name, "exec"), names)
        names["app"].add_url_rule("/fail", view_func=lambda: dict[str, str]()["order"])
        return names

    def fail(self, app: Flask) -> None:
        app.logger.warning("watch out")
        assert app.test_client().get("/fail").status_code == 500
        for handler in app.logger.handlers:
            handler.flush()

    def mail(self) -> str:
        [mail] = self.sink.mails
        return mail.text

    def file(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()


@pytest.fixture
def environment(tmp_path, sink):
    made = Environment(tmp_path, sink)
    yield made
    for server in made.syslogs:
        server.close()
    for name in ("yourapplication", "shop", "forum"):
        for handler in list(logging.getLogger(name).handlers):
            logging.getLogger(name).removeHandler(handler)
            handler.close()


def the_three_lines(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    assert environment.mail().startswith("\nMessage type:       ERROR\n")
    assert environment.mail().rstrip().endswith("KeyError: 'order'")


def the_recipe(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    assert environment.mail().startswith("Exception on /fail [GET]\n")
    assert "X-Error-Mail-Client" not in environment.sink.mails[0].message


def one_import_changed(environment: Environment, names: dict) -> None:
    the_three_lines(environment, names)
    assert [type(each) for each in names["app"].logger.handlers].count(ErrorMailHandler) == 1


def a_factory(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    assert [mail.message["Subject"] for mail in environment.sink.mails] == ["shop failed"]
    names["other"].testing = True
    names["other"].logger.error("in a test")
    names["other"].extensions[KEY].flush()
    assert len(environment.sink.mails) == 1


def files(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    for name in ("all", "by-size", "by-day", "for-logrotate"):
        first, second, *_ = environment.file(f"{name}.log")
        assert re.fullmatch(r"[\d-]+ [\d:,]+ WARNING: watch out \[in .*:\d+\]", first)
        assert " ERROR: Exception on /fail [GET] [in " in second


def a_refusal(environment: Environment, names: dict) -> None:
    assert "no-such-folder does not exist: create it, and let " in str(names["output"])


def syslogs(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    connection, _ = environment.syslogs[2].accept()
    with connection:
        for server in (*environment.syslogs[:2], connection):
            assert server.recv(9000).startswith(b"<12>yourapplication: ")


def files_by_configuration(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    assert "KeyError" in environment.mail()
    assert " WARNING: watch out [in " in environment.file("app.log")[0]
    assert b" WARNING: watch out [in " in environment.syslogs[1].recv(9000)


def a_format_with_the_request(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    outside, inside, *_ = environment.file("requests.log")
    assert re.fullmatch(r"\S+T\S+[+-]\d\d:\d\d WARNING: watch out \[- - -, user -\]", outside)
    assert inside.endswith("ERROR: Exception on /fail [GET] [127.0.0.1 GET http://localhost/fail, user -]")


def json_lines(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    outside, inside = map(json.loads, environment.file("app.jsonl"))
    assert "request" not in outside
    assert inside["request"]["url"] == "http://localhost/fail"


def a_subclass(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    assert environment.file("brief.log")[2:] == ["    KeyError: 'order'"]


def a_fallback_folder(environment: Environment, names: dict) -> None:
    port = environment.sink.port
    environment.sink.stop()
    names["mail_handler"]._exit_timeout = 0.2
    environment.fail(names["app"])
    names["mail_handler"].close()
    assert len(list((environment.folder / "error-mails").glob("*.mail"))) == 1
    environment.sink.start()
    assert environment.sink.port == port
    again = ErrorMailHandler(
        environment.sink.mailhost, "a@example.com", "b@example.com", "x", fallback=environment.folder / "error-mails"
    )
    wait_until(lambda: environment.sink.mails)
    again.close()
    assert "KeyError: 'order'" in environment.mail()


def other_libraries(environment: Environment, names: dict) -> None:
    names["mail_handler"].flush()
    assert environment.mail() == "from a library\n"
    assert len(environment.file("libraries.log")) == 1
    assert not [each for each in logging.getLogger("otherlibrary").handlers if each is names["mail_handler"]]
    for name in ("mail_handler", "file_handler"):
        names[name].close()


def facts_of_ones_own(environment: Environment, names: dict) -> None:
    environment.fail(names["app"])
    names["mail_handler"].close()
    [mail] = environment.sink.mails
    assert mail.json_part["request"] == {"method": "JOB", "url": "queue://mails/17", "user_id": "42"}
    assert mail.json_part["exceptions"][0]["type"] == "KeyError"


CHECKS = {
    "In your app 1": the_three_lines,
    "Mail 1": the_recipe,
    "Mail 2": one_import_changed,
    "Only errors, only in production 1": a_factory,
    "Files 1": files,
    "Files 2": a_refusal,
    "Files 3": syslogs,
    "Files 4": files_by_configuration,
    "Formats 1": a_format_with_the_request,
    "Formats 2": json_lines,
    "Formats 3": a_subclass,
    "Other libraries 1": other_libraries,
    "When the relay is unavailable 1": a_fallback_folder,
    "What is sent 1": facts_of_ones_own,
}


def test_every_example_has_a_check():
    assert list(snippets()) == list(CHECKS)


def test_the_page_starts_with_the_three_lines():
    assert PAGE.read_text().startswith(
        "# In your app\n\n```python\n"
        "from app_client.flask import ErrorMail\n"
        'app.config["ADMINS"] = ["yourname@example.com"]\n'
        "ErrorMail(app)\n```\n"
    )


@pytest.mark.parametrize("name", CHECKS)
def test_example(name, environment, capsys):
    names = environment.run(snippets()[name])
    names["output"] = capsys.readouterr().out
    CHECKS[name](environment, names)


def test_every_key_of_the_configuration_is_documented():
    code = "".join((PAGE.parents[1] / "app_client" / name).read_text() for name in ("flask.py", "logfiles/config.py"))
    keys = set(re.findall(r'"(ADMINS|ERROR_(?:MAIL|LOG)_[A-Z_]+)"', code))

    assert "ERROR_LOG_FILE" in keys
    rows = re.findall(r"^\| ([A-Z_, ]+) \|", PAGE.read_text(), re.MULTILINE)
    assert keys == {key for row in rows for key in row.split(", ")}
