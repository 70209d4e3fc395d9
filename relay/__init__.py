"""The error-mail relay: accepts every error mail at once, loses none, and sends digests with exact counts."""

__version__ = "0.1.0"

SMTP_KEYWORD = "X-ERROR-MAIL-RELAY"
"""The EHLO keyword by which clients tell this program from other mail servers (RFC 5321 section 2.2.2). It says nothing
about the version. `app_client.doctor` knows it too."""
