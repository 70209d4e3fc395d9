"""What people do to errors, as values that are handled in one place (cli, web → commands → ledger).

    joining   merge errors and take parts out again, in a transaction of the ledger

Nothing is imported here, so that a caller loads only the module that it needs.
"""
