"""The ingest step: read mails from the spool, parse them and add them to groups (spool → ingest → ledger).

    step        ingests the next mails of the spool, one batch in one transaction
    carry_over  finds the group that an error had under a former fingerprint version
    batch       fingerprints many texts at once, without spool or ledger

Nothing is imported here, so that a caller loads only the module that it needs.
"""
