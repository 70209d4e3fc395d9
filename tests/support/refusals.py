"""What the receiver refuses, and why: for docs/smtp-dialogs.md, and for the test that no refusal is missing there."""

REFUSED = (
    (
        "501 5.1.7, 501 5.1.3",
        "control characters in MAIL or RCPT",
        "injection: they could forge lines of logs and headers",
    ),
    (
        "501 5.1.7, 501 5.1.3",
        "no `FROM:` or `TO:`, or nothing behind it",
        "smuggling: the line was cut, so what follows may be anything",
    ),
    (
        "501 5.5.4",
        "an argument where there is none, or none where it is needed",
        "smuggling: client and server disagree where commands begin",
    ),
    (
        "500 5.5.2, 502 5.5.1",
        "an unknown or missing command",
        "smuggling: it may be content that was taken for commands",
    ),
    ("500 5.5.2", "a command line over 2,048 bytes", "size; no part of it is executed"),
    ("503 5.5.1", "a command out of order", "smuggling: a mail must not get another one's envelope"),
    (
        "501 5.5.2, 502 5.5.1",
        "TLS or HTTP where SMTP is spoken; the connection ends",
        "smuggling: a mail hidden in a web form",
    ),
    ("552 5.3.4", "a mail over `smtp.max_size` (32 MiB)", "size"),
    ("452 4.5.3", "more than 1,000 recipients; the mail is accepted for those before", "size"),
    (
        "452 4.3.1, 451 4.3.0",
        "no room, or an error of the relay; the client may try again",
        "nothing is confirmed that is not on disk",
    ),
    (
        "421 4.7.0, 421 4.4.2, 421 4.3.2",
        "twenty wrong commands, a hundred without effect, too slow, too many connections, a restart",
        "limits that keep a place for others",
    ),
    (
        "530 5.7.0, 535 5.7.8, 538 5.7.11, 454 4.7.0, 500 5.5.6, 501 5.5.2, 501 5.7.0, 504 5.5.4",
        "AUTH is required, or failed",
        "access",
    ),
    ("554 5.7.1", "a client outside of `smtp.clients`", "access"),
)
"""Every refusal: its replies, what is refused, and the reason. A test compares it with `relay.receive.replies`."""
