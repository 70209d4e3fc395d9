"""Decide which error a report is about and which route it takes (parse → redact → grouping → ledger).

    components   the parts of a report that decide which error it is
    fingerprint  the key of an error, made from its components, and the title
    versions     the current fingerprint and those of earlier releases
    rules        the administrator's rules: `[[rule]]`
    routing      the route of a report: `[[route]]`
    observation  what the learner sees of a report: its place and the words of its message
    evidence     whether the values at one position of a message are data
    learning     learns templates from the messages of one place
    compare      why two mails are the same error or not
    regroup      how the current rules and fingerprint would group the known errors

Pure, and without state but for `learning`: every machine gives the same result. This file imports nothing, so each
module loads alone.
"""
