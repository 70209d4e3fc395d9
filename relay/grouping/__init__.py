"""Decide which error a report is about and which route it takes (parse → redact → grouping → ledger).

    components   the parts of a report that decide which error it is
    fingerprint  the key of an error, made from its components, and the title
    versions     the current fingerprint and those of earlier releases
    rules        the administrator's rules: `[[rule]]`
    routing      the route of a report: `[[route]]`
    compare      why two mails are the same error or not
    regroup      how the current rules and fingerprint would group the known errors

Pure and without state: every machine gives the same result. This file imports nothing, so each module loads alone.
"""
