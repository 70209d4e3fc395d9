"""Log files and request facts of a Flask app, set up by its configuration."""

import json
import logging
import re

import flask_login
import pytest
from flask import Flask, g

from app_client import FileFormatter, RequestFacts
from app_client.flask import KEY, LOG_KEY, ErrorMail, request_facts


@pytest.fixture
def make_app(sink):
    """Create apps that fail at /fail; their handlers are removed at the end of the test."""
    apps = []

    def make(name="yourapplication", **config) -> Flask:
        app = Flask(name)
        app.config.update(ADMINS="yourname@example.com", ERROR_MAIL_HOST=sink.mailhost, SECRET_KEY="k", **config)
        app.add_url_rule("/fail/<order>", "orders", view_func=lambda order: dict[str, str]()[order])
        apps.append(app)
        return app

    yield make
    for app in apps:
        for handler in [app.extensions.get(KEY), *app.extensions.get(LOG_KEY, [])]:
            if handler is not None:
                handler.close()
        logging.getLogger(app.name).handlers.clear()


def facts() -> RequestFacts:
    """Return the facts of the current request, which must exist."""
    found = request_facts()
    assert found is not None
    return found


def fail(app: Flask, path: str = "/fail/17", **request) -> None:
    assert app.test_client().get(path, **request).status_code == 500
    app.extensions[KEY].flush()


@pytest.mark.parametrize("rotate", [None, "size", "time", "watched"])
def test_a_file_in_the_documented_format(make_app, tmp_path, rotate):
    path = tmp_path / "app.log"
    app = make_app(ERROR_LOG_FILE=str(path), ERROR_LOG_ROTATE=rotate)
    ErrorMail(app)

    app.logger.warning("watch out")
    fail(app)
    first, second, *trace = path.read_text().splitlines()

    assert re.fullmatch(r"[\d-]+ [\d:,]+ WARNING: watch out \[in .*:\d+\]", first)
    assert " ERROR: Exception on /fail/17 [GET] [in " in second
    assert trace[-1] == "    KeyError: '17'"


def test_settings_of_rotation_are_used(make_app, tmp_path):
    app = make_app(ERROR_LOG_FILE=tmp_path / "a.log", ERROR_LOG_ROTATE="size", ERROR_LOG_MAX_BYTES=77, ERROR_LOG_KEEP=3)
    other = make_app("other", ERROR_LOG_FILE=tmp_path / "b.log", ERROR_LOG_ROTATE="time", ERROR_LOG_WHEN="W0")
    for each in (app, other):
        ErrorMail(each)

    [sized], [timed] = app.extensions[LOG_KEY], other.extensions[LOG_KEY]

    assert (sized.maxBytes, sized.backupCount, timed.when, timed.backupCount) == (77, 3, "W0", 14)


def test_json_lines_with_the_request(make_app, tmp_path):
    app = make_app(ERROR_LOG_FILE=tmp_path / "app.log", ERROR_LOG_FORMAT="json", ERROR_LOG_LEVEL="ERROR")
    ErrorMail(app)

    app.logger.warning("too small")
    fail(app, "/fail/17?token=s3cret", headers={"User-Agent": "curl/8", "X-Request-ID": "r-1"})
    [found] = map(json.loads, (tmp_path / "app.log").read_text().splitlines())

    assert found["exception"].endswith("KeyError: '17'")
    assert found["request"] == {
        "method": "GET",
        "url": "http://localhost/fail/17?token=[masked]",
        "endpoint": "orders",
        "remote_addr": "127.0.0.1",
        "user_agent": "curl/8",
        "request_id": "r-1",
    }


def test_a_custom_format_may_use_the_request(make_app, tmp_path):
    app = make_app(ERROR_LOG_FILE=tmp_path / "app.log", ERROR_LOG_FORMAT="%(url)s %(message)s", ERROR_LOG_ISO_TIME=True)
    ErrorMail(app)

    fail(app)
    app.logger.error("outside")
    lines = (tmp_path / "app.log").read_text().splitlines()

    assert lines[0] == "http://localhost/fail/17 Exception on /fail/17 [GET]"
    assert lines[-1] == "- outside"


def test_records_of_libraries_are_written_once(make_app, tmp_path):
    app = make_app(ERROR_LOG_FILE=tmp_path / "app.log", ERROR_MAIL_LOGGERS=["otherlibrary", "otherlibrary.pool"])
    ErrorMail(app)

    logging.getLogger("otherlibrary.pool").error("pool is empty")
    logging.getLogger("otherlibrary.pool").handlers.clear()
    logging.getLogger("otherlibrary").handlers.clear()

    assert (tmp_path / "app.log").read_text().count("pool is empty") == 1


def test_files_of_two_apps_are_kept_apart(make_app, tmp_path):
    """The apps have the same name and share a logger."""
    apps = [make_app(ERROR_LOG_FILE=tmp_path / name) for name in ("a.log", "b.log")]
    for app in apps:
        ErrorMail(app)

    fail(apps[0], "/fail/first")
    fail(apps[1], "/fail/second")

    assert re.findall(r"/fail/(\w+)", (tmp_path / "a.log").read_text()) == ["first"]
    assert re.findall(r"/fail/(\w+)", (tmp_path / "b.log").read_text()) == ["second"]


@pytest.mark.parametrize("mode", ["debug", "testing"])
def test_no_file_is_written_in_debug_or_testing_mode(make_app, tmp_path, mode):
    app = make_app(ERROR_LOG_FILE=tmp_path / "before.log")
    ErrorMail(app)
    setattr(app, mode, True)
    app.logger.error("on my desk")
    other = make_app("other", ERROR_LOG_FILE=tmp_path / "other.log")
    setattr(other, mode, True)
    ErrorMail(other)

    assert (tmp_path / "before.log").read_text() == ""
    assert not (tmp_path / "other.log").exists()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"ERROR_LOG_FILE": "/nowhere/app.log"}, 'app.config["ERROR_LOG_FILE"]: the folder /nowhere does not exist'),
        ({"ERROR_LOG_FILE": 17.5}, 'app.config["ERROR_LOG_FILE"]: '),
        ({"ERROR_LOG_ROTATE": "daily"}, 'ERROR_LOG_ROTATE must be "size", "time", "watched" or None'),
        ({"ERROR_LOG_ROTATE": "size", "ERROR_LOG_KEEP": 0}, 'app.config["ERROR_LOG_FILE"]: max_bytes and keep must'),
        ({"ERROR_LOG_FORMAT": "%(message"}, "ERROR_LOG_FORMAT: "),
        ({"ERROR_LOG_LEVEL": "LOUD"}, 'app.config["ERROR_LOG_LEVEL"]: Unknown level'),
        ({"ERROR_LOG_SYSLOG": "logs"}, 'app.config["ERROR_LOG_SYSLOG"]: a syslog address is'),
        ({"ERROR_LOG_SYSLOG": "/nowhere"}, 'app.config["ERROR_LOG_SYSLOG"]: no syslog at /nowhere: there is no such'),
        ({"ERROR_LOG_EVENTS": "shop"}, 'app.config["ERROR_LOG_EVENTS"]: the Windows event log exists on Windows only'),
    ],
    ids=str,
)
def test_an_invalid_configuration_is_refused_and_leaves_no_handler(make_app, tmp_path, config, words):
    app = make_app(**{"ERROR_LOG_FILE": tmp_path / "app.log"} | config)

    with pytest.raises(ValueError, match="ERROR_LOG") as refusal:
        ErrorMail(app)

    assert words in str(refusal.value)
    assert KEY not in app.extensions
    assert not [each for each in app.logger.handlers if isinstance(each, logging.FileHandler)]


def test_the_mail_shows_the_request_if_configured(make_app, sink):
    app = make_app(ERROR_MAIL_REQUEST=True)
    ErrorMail(app)

    fail(app)
    app.logger.error("outside")
    app.extensions[KEY].flush()
    inside, outside = (mail.text for mail in sink.mails)

    assert inside.startswith("\nRequest:            GET http://localhost/fail/17\nEndpoint:           orders\n")
    assert "\n\nMessage type:       ERROR\n" in inside
    assert outside.startswith("\nMessage type:       ERROR\n")


def test_the_user_id_comes_from_flask_login(make_app):
    app = make_app()
    logins = flask_login.LoginManager(app)
    asked = []

    class User(flask_login.UserMixin):
        id = "42"

    @logins.user_loader
    def load(user_id):
        asked.append(user_id)
        return User()

    @app.get("/login")
    def login():
        flask_login.login_user(User())
        return ""

    @app.get("/me")
    def me():
        return facts().user_id or "nobody"

    client = app.test_client()

    assert client.get("/me").text == "nobody"
    client.get("/login")
    assert client.get("/me").text == "42"
    assert asked == [], "the user's database may be what is in trouble"


def test_the_user_of_a_token_is_known_after_the_app_has_loaded_it(make_app):
    app = make_app()
    logins = flask_login.LoginManager(app)

    class User(flask_login.UserMixin):
        id = "robot"

    @logins.request_loader
    def load(_request):
        return User()

    with app.test_request_context("/"):
        assert facts().user_id == ""
        assert flask_login.current_user.is_authenticated
        assert facts().user_id == "robot"


def test_a_malformed_request_gives_the_readable_facts():
    app = Flask("yourapplication")
    app.config["TRUSTED_HOSTS"] = ["shop.example"]

    with app.test_request_context("/a\nb", headers={"Host": "evil.example", "User-Agent": "\x1b[31m"}) as context:
        context.request.trusted_hosts = ["shop.example"]
        found = facts()

    assert found.url == ""
    assert found.method == "GET"
    assert found.user_agent == r"\x1b[31m"


def test_the_request_id_of_the_app_takes_precedence():
    app = Flask("yourapplication")
    with app.test_request_context(headers={"X-Request-ID": "theirs"}, environ_base={"REQUEST_ID": "the server's"}):
        assert facts().request_id == "theirs"
        g.request_id = "ours"
        assert facts().request_id == "ours"
    with app.test_request_context(environ_base={"REQUEST_ID": "the server's"}):
        assert facts().request_id == "the server's"


def test_there_are_no_facts_outside_of_a_request():
    assert request_facts() is None
    with Flask("yourapplication").app_context():
        assert request_facts() is None
    formatter = FileFormatter("%(url)s %(message)s", facts=request_facts)
    assert formatter.format(logging.makeLogRecord({"msg": "fine"})) == "- fine"
    assert RequestFacts().known() == {}
