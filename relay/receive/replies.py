"""The receiver's replies: codes of RFC 5321, section 4.2, and RFC 3463; their texts reveal nothing about the server."""

from __future__ import annotations


class Refusal(Exception):
    """A command is refused with `reply`; `closes`: the connection ends after it."""

    def __init__(self, reply: bytes, *, closes: bool = False) -> None:
        super().__init__(reply)
        self.reply = reply
        self.closes = closes

    @property
    def counts(self) -> bool:
        """True if it counts as an error of the client. Temporary failures, too large mails and failed logins do not."""
        return self.reply[:1] == b"5" and self.reply not in _NOT_COUNTED


BYE = b"221 2.0.0 Bye"
HELP = b"214 2.0.0 See RFC 5321"
OK = b"250 2.0.0 OK"
STORED = b"250 2.6.0 Stored"
SENDER_OK = b"250 2.1.0 OK"
RECIPIENT_OK = b"250 2.1.5 OK"
NOT_VERIFIED = b"252 2.0.0 Not verified"
AUTHENTICATED = b"235 2.7.0 Authenticated"
READY_FOR_TLS = b"220 2.0.0 Ready for TLS"
GO_AHEAD = b"354 End with <CRLF>.<CRLF>"

TIMEOUT = b"421 4.4.2 Timed out"
TOO_MANY_CONNECTIONS = b"421 4.3.2 Too many connections, try again later"
STOPPING = b"421 4.3.2 Restarting, try again at once"
TOO_MANY_ERRORS = b"421 4.7.0 Too many errors"
TOO_IDLE = b"421 4.7.0 Too many commands without a mail"
ENDLESS_LINE = b"421 4.7.0 Line without an end"
STALE = b"421 4.4.2 No mail for too long"
TOO_MANY_LOGINS = b"421 4.7.0 Too many failed logins"
LOCAL_ERROR = b"451 4.3.0 Local error, try again later"
NO_ROOM = b"452 4.3.1 Cannot store mail now, try again later"
LOGINS_BUSY = b"454 4.7.0 Too many logins at once, try again later"
TOO_MANY_RECIPIENTS = b"452 4.5.3 Too many recipients"

UNKNOWN = b"500 5.5.2 Unknown command"
LINE_TOO_LONG = b"500 5.5.2 Line too long"
AUTH_RESPONSE_TOO_LONG = b"500 5.5.6 Authentication response too long"
NO_ARGUMENT = b"501 5.5.4 No argument allowed"
ARGUMENT_MISSING = b"501 5.5.4 Argument missing"
MAIL_SYNTAX = b"501 5.1.7 Syntax: MAIL FROM:<address> [parameters]"
RCPT_SYNTAX = b"501 5.1.3 Syntax: RCPT TO:<address>"
NOT_BASE64 = b"501 5.5.2 Not valid base64"
NOT_PLAIN = b"501 5.5.2 Not a valid PLAIN message"
AUTH_CANCELLED = b"501 5.7.0 Authentication cancelled"
NOT_TLS = b"501 5.5.2 Send STARTTLS before TLS"
NOT_IMPLEMENTED = b"502 5.5.1 Not implemented"
NO_WEB_SERVER = b"502 5.5.1 This is a mail server"
NO_HELO = b"503 5.5.1 Send EHLO or HELO first"
NO_EHLO = b"503 5.5.1 Send EHLO first"
NO_SENDER = b"503 5.5.1 Send MAIL first"
NO_RECIPIENT = b"503 5.5.1 Send RCPT first"
MAIL_IN_PROGRESS = b"503 5.5.1 Mail transaction in progress"
AUTHENTICATED_ALREADY = b"503 5.5.1 Authenticated already"
TLS_ALREADY = b"503 5.5.1 TLS is in use already"
UNKNOWN_MECHANISM = b"504 5.5.4 Unknown mechanism"
AUTH_REQUIRED = b"530 5.7.0 Authentication required"
BAD_CREDENTIALS = b"535 5.7.8 Wrong user name or password"
NOT_FOR_OTHERS = b"535 5.7.8 Authorization as another user is not supported"
NEEDS_TLS = b"538 5.7.11 Encryption required: send STARTTLS first"
TOO_LARGE = b"552 5.3.4 Mail too large"
TOO_MUCH_DATA = b"552 5.3.4 Mail was too large"
ACCESS_DENIED = b"554 5.7.1 Access denied"

_NOT_COUNTED = frozenset((BAD_CREDENTIALS, TOO_MUCH_DATA))
