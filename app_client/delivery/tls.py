"""What `secure` means: the stock handler's tuple of key and certificate file, or an `ssl.SSLContext` of one's own."""

import ssl
from collections.abc import Sequence

Secure = ssl.SSLContext | Sequence[str | ssl.SSLContext | None]


def tls_context(secure: Secure, *, checked: bool) -> ssl.SSLContext:
    """The context for STARTTLS: the one that `secure` is or holds, else a new one with its key and certificate file.

    `checked` says whether a new one checks the relay's certificate. The stock handler never does; ours does except on
    the loopback, where no wire can be tapped and for which hardly anybody makes certificates. Raises OSError for files
    that cannot be read or are none.
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
