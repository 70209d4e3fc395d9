"""Parse the `mailhost` argument of a handler: host and port of the relay.

Called once, when a handler is created, so that a typing error fails at start-up instead of causing lost mails. The
standard handler takes "host:2525" for the name of a host and connects to port 25.
"""

import ipaddress

Mailhost = str | tuple[str, int]


def split_mailhost(mailhost: Mailhost) -> tuple[str, int | None]:
    """Return host and port of "host", "host:2525", "::1", "[::1]", "[::1]:2525" or a pair; the port may be None.

    Raises ValueError, with the given value in its text, for anything else.
    """
    if isinstance(mailhost, str):
        host, port = _split(mailhost)
    else:
        try:
            host, port = (str(part or "") for part in mailhost)
        except (TypeError, ValueError):
            raise _refusal(mailhost) from None
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or any(character in "[]/" or not character.isprintable() or character.isspace() for character in host):
        raise _refusal(mailhost)
    if ":" in host and not _is_ipv6(host):
        raise _refusal(mailhost)
    if port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError(f"the port in mailhost {mailhost!r} must be a number from 1 to 65535, not {port!r}")
    return host, int(port) if port else None


def is_loopback(host: str) -> bool:
    """Return True if a connection to `host` cannot leave this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _split(text: str) -> tuple[str, str]:
    if _is_ipv6(text) or text.endswith("]"):
        return text, ""
    host, colon, port = text.rpartition(":")
    if colon and not port:
        raise _refusal(text)
    return (host, port) if colon else (text, "")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _refusal(mailhost: object) -> ValueError:
    return ValueError(f'mailhost must be "host", "host:port" or a pair of both, not {mailhost!r}')
