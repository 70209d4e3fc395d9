"""Takes mail by SMTP into the spool, and answers: small, fast, boring, so that it is always there.

    receiver     listens, publishes its counters, stops in order
    connection   one client's connection: who may come in, its bytes to the dialogue, its time
    link         what goes out, TLS, the end (aiosmtpd's SMTP, its hot paths replaced)
    dialogue     what each command does and is answered (RFC 5321 and its extensions)
    transaction  one mail's envelope while it comes together
    reception    what all connections share; puts a mail into the spool
    content      the bytes after DATA, exact and bounded
    room         the memory that all of them share
    stream       what has come from the socket and was not used yet
    path         addresses and parameters of MAIL and RCPT
    auth         what a client claims to be, and whether it is true
    passwords    how a password is kept
    certificate  TLS for clients
    networks     which addresses belong to which networks
    proxy        the header by which a proxy names the client
    replies      what is answered
    roster       who is connected; who goes first when there are too many
    counters     what happened so far, for the worker's metrics

Guarantee: 250 at the end of DATA means that the mail is in the spool. Content is never a
reason to refuse, and recipients decide nothing. Imports none of what the worker needs.
"""

from relay.receive.counters import Counters
from relay.receive.limits import LOOPBACK, Access, Limits
from relay.receive.server import Receiver

__all__ = ["LOOPBACK", "Access", "Counters", "Limits", "Receiver"]
