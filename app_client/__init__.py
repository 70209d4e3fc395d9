"""Client for the error-mail relay, to use in an app: standard library only, no side effects on import.

    from app_client import ErrorMailHandler, mail_formatter

For Flask, `app_client.flask.ErrorMail` does the set-up. Flask is imported only by that module, its commands
(`flask_cli`) and the demo.
"""

from app_client.formatting.formatters import (
    FILE_FORMAT,
    MAIL_FORMAT,
    FileFormatter,
    MailFormatter,
    file_formatter,
    mail_formatter,
)
from app_client.formatting.json_formatter import JsonFormatter
from app_client.formatting.request import RequestFacts
from app_client.handler import ErrorMailHandler
from app_client.logfiles.handlers import (
    LogFileError,
    plain_file,
    rotating_file,
    syslog,
    timed_file,
    watched_file,
    windows_event_log,
)
from app_client.loggers import attach

__all__ = [
    "FILE_FORMAT",
    "MAIL_FORMAT",
    "ErrorMailHandler",
    "FileFormatter",
    "JsonFormatter",
    "LogFileError",
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
