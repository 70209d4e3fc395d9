"""What people do to errors, as values that are handled in one place (cli, web → commands → ledger).

    actions   the commands, as values
    handle    carry a command out, and record it in the audit log
    export    merges and splits as rules for relay.toml
    similar   errors that are nearly the same
    joining   merge errors and take parts out again, in a transaction of the ledger

Nothing is imported here, so that a caller loads only the module that it needs.
"""
