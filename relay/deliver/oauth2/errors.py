"""The failure of the way to an access token. Its text is safe to show."""

from __future__ import annotations


class TokenFailed(Exception):
    """There is no access token; `detail` says which step failed, and how. It contains no secret."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
