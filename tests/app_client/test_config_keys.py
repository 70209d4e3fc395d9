"""Keys of `app.config` that look like ours and are none: a warning with the nearest known key."""

import re

import pytest
from flask import Flask

import app_client.flask
from app_client.config_keys import LOG_KEYS, MAIL_KEYS, unknown_keys
from app_client.logfiles import config as logfiles_config
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("ERROR_MAIL_RECIPIENTS", "the keys are ERROR_MAIL_HOST, ERROR_MAIL_SENDER"),
        ("ERROR_MAIL_ENVIROMENT", "did you mean ERROR_MAIL_ENVIRONMENT?"),
        ("ERROR_MAILS_HOST", "did you mean ERROR_MAIL_HOST?"),
        ("ERROR_LOG_PATH", "the keys are ERROR_LOG_FILE, "),
    ],
)
def test_unknown_key_is_named_with_what_would_be_right(key, hint):
    [sentence] = unknown_keys({key: "a secret"})

    assert sentence.startswith(f'app.config["{key}"] is no setting of error mails and is ignored; ')
    assert hint in sentence
    assert "a secret" not in sentence


def test_known_keys_and_keys_of_others_are_no_mistakes():
    assert unknown_keys([*MAIL_KEYS, *LOG_KEYS, "ERROR_404_HELP", "ADMINS", "ERROR_LOGO", "MAIL_SERVER"]) == []


@pytest.mark.parametrize(
    ("module", "prefix", "keys"),
    [(app_client.flask, "ERROR_MAIL_", MAIL_KEYS), (logfiles_config, "ERROR_LOG_", LOG_KEYS)],
)
def test_known_keys_are_those_that_the_module_reads_and_documents(module, prefix, keys):
    documented = re.findall(rf"^    ({prefix}\w+) ", module.__doc__, re.MULTILINE)
    page = (ROOT / "docs" / "app-client.md").read_text()

    assert sorted(documented) == sorted(keys)
    assert [key for key in keys if key not in page] == []


def test_misspelt_key_is_a_warning_in_the_log_of_the_app(caplog, sink):
    app = Flask("yourapplication")
    app.config.update(ADMINS=["yourname@example.com"], ERROR_MAIL_HOST=sink.mailhost, ERROR_MAIL_RELEASSE="1.2")
    app_client.flask.ErrorMail(app)
    app.extensions[app_client.flask.KEY].close()
    app.logger.handlers.clear()

    assert "did you mean ERROR_MAIL_RELEASE?" in caplog.text
