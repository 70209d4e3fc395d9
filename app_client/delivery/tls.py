"""The TLS context for STARTTLS, from the `secure` argument: key and certificate files, or an `ssl.SSLContext`."""

import ssl
from collections.abc import Sequence

Secure = ssl.SSLContext | Sequence[str | ssl.SSLContext | None]


def tls_context(secure: Secure, *, checked: bool) -> ssl.SSLContext:
    """Return the context that `secure` is or contains, else a new one with its key and certificate file.

    `checked` says whether a new context verifies the relay's certificate. The standard handler never verifies it; ours
    does, except on the loopback, where nobody can intercept the connection and certificates are rare. Raises OSError
    for files that cannot be read or are invalid.
    """
    parts = [secure] if isinstance(secure, ssl.SSLContext) else list(secure)
    for part in parts:
        if isinstance(part, ssl.SSLContext):
            return part
    context = ssl.create_default_context()
    if not checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    keyfile, certfile = [*(part for part in parts if isinstance(part, str)), None, None][:2]
    if keyfile:
        context.load_cert_chain(certfile or keyfile, keyfile)
    return context
