"""From the bytes of a mail to a Report: what it says, as far as its text tells (first pure step of ingest).

    mime/        decodes a mail: its headers that matter and its text, within bounds
    layouts/     how the text is laid out: documented format, log lines, Django's report, labels, JSON records
    situations/  what kind of failure a report shows: disk full, network, programming error and others
    json_part    what our own client says beside the text, in machine-readable form
    report       joins them: a spool record becomes a Report

Any bytes give a Report. Nothing is imported here: who needs one module loads that one alone.
"""
