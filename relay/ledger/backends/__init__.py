"""The databases that a ledger can lie in, and what differs between them.

    sqlite      one file: pragmas, the write transaction, the check at the start
    postgres    a server that several relays share
    write_mode  which other writers a write transaction excludes
    wal         SQLite's write-ahead log: is a commit missing at its end?
    errors      what a driver raises, as errors of the relay

All other modules of the ledger build on this package. It imports none of them.
"""
