r"""The SMTP login with an access token (pure): XOAUTH2 of Google and Microsoft, and OAUTHBEARER (RFC 7628).

Both send the user and the token in the first command. A server that refuses them replies 334 with a JSON text about the
reason, waits for one more line, and then replies with the code (RFC 7628 section 3.2.3).
"""

from __future__ import annotations

import base64
import binascii
import json

MECHANISMS = ("xoauth2", "oauthbearer")
"""The mechanisms in order of preference: Microsoft has XOAUTH2 alone, Google documents both."""
MAX_LINE = 12_288
"""Octets of an AUTH command (RFC 4954 section 4). A longer response is sent after a 334."""
_MAX_STATUS = 100


def initial_response(mechanism: str, *, user: str, token: str, host: str, port: int) -> str:
    """Return what the client sends for `mechanism`, in base64."""
    if mechanism == "xoauth2":
        text = f"user={user}\x01auth=Bearer {token}\x01\x01"
    else:
        name = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 section 4
        text = f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"
    return base64.b64encode(text.encode()).decode("ascii")


def secret_part(response: str, token: str) -> str:
    """Return the end of the response that holds the token: what comes before it is no secret."""
    return response[base64.b64decode(response).index(token.encode()) // 3 * 4 :]


def command_lines(mechanism: str, response: str) -> list[bytes]:
    """Return the lines of the login: one, or two if the response is too long for the command."""
    name = mechanism.upper().encode()
    whole = b"AUTH %s %s" % (name, response.encode())
    return [whole] if len(whole) + 2 <= MAX_LINE else [b"AUTH %s" % name, response.encode()]


def answer_to_refusal(mechanism: str) -> bytes:
    """Return the line that ends a refused login: empty for XOAUTH2, a single Ctrl-A for OAUTHBEARER."""
    return b"" if mechanism == "xoauth2" else base64.b64encode(b"\x01")


def refusal_status(challenge: str) -> str:
    """Return the `status` and the `scope` of the JSON text in a 334 reply, such as `401`; "" if there is none.

    Bounded: a reply has at most 32 KiB, and a status that is longer than 100 characters is none.
    """
    try:
        found = json.loads(base64.b64decode(challenge.strip(), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    status, scope = str(found.get("status", "")), found.get("scope")
    if not status or len(status) > _MAX_STATUS:
        return ""
    needs = f", scope {scope}" if isinstance(scope, str) and 0 < len(scope) <= _MAX_STATUS else ""
    return f"{status}{needs}"
