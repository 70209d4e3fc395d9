"""`ErrorMail` with real Flask apps: which handler gets which error, and when nothing is sent."""

import gc
import logging
import threading
import weakref

import pytest
from flask import Flask

from app_client import ErrorMailHandler
from app_client.flask import KEY, ErrorMail
from tests.support.smtp_sinks import Sink


@pytest.fixture
def make_app(sink):
    """Create apps that fail at /fail; their handlers are removed at the end of the test."""
    apps = []

    def make(name="yourapplication", **config) -> Flask:
        app = Flask(name)
        app.config.update(ADMINS=["yourname@example.com"], ERROR_MAIL_HOST=sink.mailhost, **config)
        app.add_url_rule("/fail", view_func=lambda: dict[str, str]()["order"])
        app.add_url_rule("/log", view_func=log)
        apps.append(app)
        return app

    yield make
    for app in apps:
        if KEY in app.extensions:
            app.extensions[KEY].close()
        for name in (app.name, "otherlibrary", "thirdlibrary"):
            logging.getLogger(name).handlers.clear()


def log() -> str:
    logging.getLogger("otherlibrary").error("from a library")
    return "logged"


def fail(app: Flask, path: str = "/fail") -> None:
    app.test_client().get(path)
    if KEY in app.extensions:
        app.extensions[KEY].flush()


def test_an_unhandled_exception_is_mailed_in_the_documented_format(make_app, sink):
    app = make_app()
    ErrorMail(app)

    fail(app)
    [mail] = sink.mails

    assert mail.message["Subject"] == "yourapplication Failed"
    assert mail.message["To"] == "yourname@example.com"
    assert mail.message["From"].addresses[0].username == "server-error"
    assert mail.message["X-Error-Mail-App"] == "yourapplication"
    assert mail.text.startswith("\nMessage type:       ERROR\n")
    assert "Exception on /fail [GET]\nTraceback (most recent call last):\n" in mail.text
    assert mail.text.rstrip().endswith("KeyError: 'order'")


def test_configuration_is_read_from_the_app(make_app, sink):
    app = make_app(
        ERROR_MAIL_SENDER="shop@example.com",
        ERROR_MAIL_SUBJECT="The shop failed",
        ERROR_MAIL_LEVEL="CRITICAL",
        ERROR_MAIL_ENVIRONMENT="production",
        ERROR_MAIL_RELEASE="7",
    )
    app.config["ADMINS"] = "anna@example.com, ben@example.com"
    ErrorMail(app)

    fail(app)
    app.logger.critical("on fire")
    app.extensions[KEY].flush()
    [mail] = sink.mails

    assert mail.message["From"] == "shop@example.com"
    assert mail.message["Subject"] == "The shop failed"
    assert mail.envelope.rcpt_tos == ["anna@example.com", "ben@example.com"]
    assert mail.message["X-Error-Mail-Environment"] == "production"
    assert mail.message["X-Error-Mail-Release"] == "7"
    assert "on fire" in mail.text


def test_credentials_are_used(make_app, login_sink):
    app = make_app(ERROR_MAIL_CREDENTIALS=("app", "the-password"), ERROR_MAIL_SECURE=())
    app.config["ERROR_MAIL_HOST"] = "{}:{}".format(*login_sink.mailhost)
    ErrorMail(app)

    fail(app)

    assert login_sink.mails[0].user == b"app"


def test_works_with_an_application_factory(make_app, sink):
    error_mail = ErrorMail()
    apps = [make_app("shop"), make_app("forum")]
    for app in apps:
        error_mail.init_app(app)

    for app in apps:
        fail(app)

    assert [mail.message["X-Error-Mail-App"] for mail in sink.mails] == ["shop", "forum"]


def test_a_second_set_up_changes_nothing(make_app, sink):
    app = make_app()
    extension = ErrorMail(app)
    extension.init_app(app)
    ErrorMail(app)

    fail(app)

    assert len(sink.mails) == 1
    assert [type(handler) for handler in app.logger.handlers].count(ErrorMailHandler) == 1


@pytest.mark.parametrize("mode", ["DEBUG", "TESTING"])
def test_nothing_is_set_up_in_debug_or_testing_mode(make_app, sink, mode):
    app = make_app(**{mode: True}, PROPAGATE_EXCEPTIONS=False)
    app.config["ADMINS"] = None
    ErrorMail(app)

    fail(app)

    assert not sink.attempted
    assert KEY not in app.extensions
    assert not [handler for handler in app.logger.handlers if isinstance(handler, ErrorMailHandler)]


@pytest.mark.parametrize("mode", ["debug", "testing"])
def test_nothing_is_mailed_after_debug_or_testing_is_switched_on(make_app, sink, mode):
    """`app.run(debug=True)` switches it on after the set-up."""
    app = make_app(PROPAGATE_EXCEPTIONS=False)
    ErrorMail(app)
    setattr(app, mode, True)

    fail(app)
    assert not sink.attempted
    setattr(app, mode, False)
    fail(app)

    assert len(sink.mails) == 1


@pytest.mark.parametrize("mode", ["DEBUG", "TESTING"])
def test_even_in_debug_mails_in_debug_and_testing_mode(make_app, sink, mode):
    app = make_app(**{mode: True}, PROPAGATE_EXCEPTIONS=False)
    ErrorMail(app, even_in_debug=True)

    fail(app)

    assert len(sink.mails) == 1


def test_apps_with_the_same_name_are_kept_apart(make_app, sink):
    """They share a logger."""
    other_sink = Sink().start()
    first, second = make_app(), make_app()
    second.config["ERROR_MAIL_HOST"] = other_sink.mailhost
    ErrorMail(first)
    ErrorMail(second)
    assert first.logger is second.logger

    fail(first)
    fail(second)
    fail(second)
    first.logger.error("outside of any request")
    for app in (first, second):
        app.extensions[KEY].close()
    other_sink.stop()

    assert sum("KeyError" in mail.text for mail in sink.mails) == 1
    assert sum(mail.count for mail in other_sink.mails if "KeyError" in mail.text) == 2
    assert sum("outside" in mail.text for mail in sink.mails + other_sink.mails) == 1


def test_records_of_libraries_belong_to_the_app_that_called_them(make_app, sink):
    apps = [make_app(name, ERROR_MAIL_LOGGERS=["otherlibrary", "thirdlibrary"]) for name in ("shop", "forum")]
    for app in apps:
        ErrorMail(app)

    fail(apps[1], "/log")
    fail(apps[0], "/log")

    assert [mail.message["X-Error-Mail-App"] for mail in sink.mails] == ["forum", "shop"]
    assert {mail.message["X-Error-Mail-Logger"] for mail in sink.mails} == {"otherlibrary"}


def test_a_logger_and_its_parent_may_both_be_configured(make_app, sink):
    app = make_app(ERROR_MAIL_LOGGERS=["otherlibrary", "otherlibrary.pool", "yourapplication"])
    ErrorMail(app)

    logging.getLogger("otherlibrary.pool").error("pool is empty")
    app.extensions[KEY].flush()
    logging.getLogger("otherlibrary.pool").handlers.clear()

    assert sink.occurrences == 1


def test_a_deleted_app_leaves_no_handler_behind(make_app):
    app = Flask("ephemeral")
    app.config.update(ADMINS="yourname@example.com", ERROR_MAIL_LOGGERS="otherlibrary")
    ErrorMail(app)
    gone = weakref.ref(app)
    assert logging.getLogger("otherlibrary").handlers

    del app
    gc.collect()

    assert gone() is None
    assert not logging.getLogger("otherlibrary").handlers
    assert not [each for each in logging.getLogger("ephemeral").handlers if isinstance(each, ErrorMailHandler)]


def test_a_request_does_not_wait_for_an_unavailable_relay(make_app, sink):
    """If the request waited for the relay, it would never end: no relay listens here."""
    sink.stop()
    app = make_app()
    ErrorMail(app)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(app.test_client().get("/fail").status_code), daemon=True)
    thread.start()
    thread.join(20)

    assert answers == [500]
    assert app.extensions[KEY].pending == 1
    app.extensions[KEY]._exit_timeout = 0


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"ADMINS": []}, 'app.config["ADMINS"] is not set'),
        ({"ADMINS": None}, 'app.config["ADMINS"] is not set'),
        ({"ADMINS": ["nobody <>"]}, 'app.config["ADMINS"]: no mail address'),
        ({"ERROR_MAIL_HOST": "relay:smtp"}, 'app.config["ERROR_MAIL_HOST"]: the port'),
        ({"ERROR_MAIL_SENDER": ""}, 'app.config["ERROR_MAIL_SENDER"]: no mail address'),
        ({"ERROR_MAIL_LEVEL": "LOUD"}, 'app.config["ERROR_MAIL_LEVEL"]: Unknown level'),
        ({"ERROR_MAIL_CREDENTIALS": "user"}, 'app.config["ERROR_MAIL_CREDENTIALS"]: must be a pair'),
        ({"ERROR_MAIL_CREDENTIALS": ("a", "a-password", "c")}, 'app.config["ERROR_MAIL_CREDENTIALS"]: must be a pair'),
    ],
    ids=str,
)
def test_an_invalid_configuration_is_refused_with_its_key(make_app, config, words):
    app = make_app()
    app.config.update(config)

    with pytest.raises(ValueError, match=r"app\.config") as refusal:
        ErrorMail(app)

    assert words in str(refusal.value)
    assert "a-password" not in str(refusal.value)
    assert KEY not in app.extensions
    assert not [handler for handler in app.logger.handlers if isinstance(handler, ErrorMailHandler)]
