"""The SMTP receiver: accepts mail, writes it to the spool and replies.

It is small, fast and simple, so that it is always available.

    server          listens, publishes the counters, shuts down in order
    connection      one client connection: access control, commands in, time limits
    transport       output, TLS handshake and close (aiosmtpd's SMTP protocol with its hot paths replaced)
    session         what each SMTP command does and its reply (RFC 5321 and extensions)
    transaction     the envelope of one mail while MAIL and RCPT build it
    intake          what all connections share; puts a mail into the spool
    content         the bytes after DATA, exact and bounded
    memory          the memory budget of all mails in transfer
    buffer          bytes received from the socket and not yet used
    mail_and_rcpt   addresses and parameters of MAIL and RCPT
    auth            AUTH mechanisms and the check of credentials
    passwords       how a password is stored
    certificate     TLS certificate for clients
    networks        which addresses belong to which networks
    proxy_protocol  the header by which a proxy names the client
    replies         the reply texts
    options         limits and access rules of one receiver
    admission       which clients are connected; which one is closed first when there are too many
    counters        totals since the start, for the worker's metrics

Guarantee: a 250 at the end of DATA means that the mail is in the spool. Content is never a reason to refuse a mail, and
recipients decide nothing. The package imports nothing that only the worker needs.
"""

from relay.receive.counters import Counters
from relay.receive.options import LOOPBACK, Access, Limits
from relay.receive.server import Receiver

__all__ = ["LOOPBACK", "Access", "Counters", "Limits", "Receiver"]
