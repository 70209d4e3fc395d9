"""The half of the error-mail relay that lives in an app: standard library only, nothing happens on import.

    from app_client import ErrorMailHandler, mail_formatter

For Flask, `app_client.flask.ErrorMail` does the set-up; it is the one module here that imports Flask.
"""

from app_client.attachment import attach
from app_client.files import plain_file, rotating_file, syslog, timed_file, watched_file, windows_event_log
from app_client.formats import (
    FILE_FORMAT,
    MAIL_FORMAT,
    FileFormatter,
    MailFormatter,
    file_formatter,
    mail_formatter,
)
from app_client.handler import ErrorMailHandler
from app_client.json_lines import JsonFormatter
from app_client.request import RequestFacts

__all__ = [
    "FILE_FORMAT",
    "MAIL_FORMAT",
    "ErrorMailHandler",
    "FileFormatter",
    "JsonFormatter",
    "MailFormatter",
    "RequestFacts",
    "attach",
    "file_formatter",
    "mail_formatter",
    "plain_file",
    "rotating_file",
    "syslog",
    "timed_file",
    "watched_file",
    "windows_event_log",
]
