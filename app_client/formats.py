"""The two documented formats: of an error mail and of a line in a log file.

They come first in the way of a record: what a formatter makes of it is what the mail says. The relay reads the mail
format back field by field, so its labels and their alignment are a promise. Source of both: Flask's guide "Logging
Application Errors".
"""

from logging import Formatter

MAIL_FORMAT = """
Message type:       %(levelname)s
Location:           %(pathname)s:%(lineno)d
Module:             %(module)s
Function:           %(funcName)s
Time:               %(asctime)s

Message:

%(message)s
"""

FILE_FORMAT = "%(asctime)s %(levelname)s: %(message)s [in %(pathname)s:%(lineno)d]"


def mail_formatter() -> Formatter:
    """A new formatter for mail handlers; like every `logging.Formatter` it appends the traceback by itself."""
    return Formatter(MAIL_FORMAT)


def file_formatter() -> Formatter:
    """A new formatter for file handlers, meant for level WARNING."""
    return Formatter(FILE_FORMAT)
