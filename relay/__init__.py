"""The error-mail relay: takes error mails at once, loses none, and sends their admins digests with exact counts."""

__version__ = "0.1.0"
