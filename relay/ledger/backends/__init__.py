"""The two databases that can store a ledger, SQLite and PostgreSQL, and the differences between them.

    sqlite      one file: pragmas, write transactions, the check at the start
    postgres    a server that several relays share
    write_mode  which other writers a write transaction excludes
    wal         SQLite's write-ahead log: are commits missing at its end?
    errors      errors of SQLAlchemy and the drivers as errors of the relay

All other modules of the ledger build on this package. It imports none of them.
"""
