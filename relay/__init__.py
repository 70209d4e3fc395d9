"""The error-mail relay: accepts every error mail at once, loses none, and sends digests with exact counts."""

__version__ = "0.1.0"
