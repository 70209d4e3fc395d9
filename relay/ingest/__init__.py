"""The step from the spool to the ledger: mails are read, understood and put into groups.

    step        takes the next mails of the spool and books them, one batch in one transaction
    carry_over  finds the group that an error had under a former version of the fingerprint
    batch       fingerprints of many texts at once, without spool or ledger

Nothing is imported here: who needs one module loads that one alone.
"""
