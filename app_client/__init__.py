"""The half of the error-mail relay that lives in an app: standard library only, nothing happens on import.

    from app_client import ErrorMailHandler, mail_formatter

For Flask, `app_client.flask.ErrorMail` does the set-up; it is the one module here that imports Flask.
"""

from app_client.formats import FILE_FORMAT, MAIL_FORMAT, file_formatter, mail_formatter
from app_client.handler import ErrorMailHandler

__all__ = ["FILE_FORMAT", "MAIL_FORMAT", "ErrorMailHandler", "file_formatter", "mail_formatter"]
