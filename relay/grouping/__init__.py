"""Which error a report is about, and which route it takes (last pure step of ingest, after parse and redact).

    fingerprint  the key of an error, and its title
    components   the parts that the key is made of, kept apart
    versions     the fingerprint in use and the former ones
    rules        the user's own rules: `[[rule]]`
    routing      the route of a report: `[[route]]`
    compare      why two mails are, or are not, the same error
    regroup      what rules or a new version would make of the known errors

Pure, without state: every machine gives the same answer. Nothing is imported here: who needs one module loads that one.
"""
