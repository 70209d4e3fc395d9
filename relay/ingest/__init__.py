"""The step from the spool to the ledger: mails are read, understood and put into groups.

    batch   fingerprints of many texts at once, without spool or ledger

Nothing is imported here: who needs one module loads that one alone.
"""
