"""Parse the bytes of a mail into a Report: app, level, location, message, trace (the first pure step of ingest).

    mime/        decode a mail: the relevant headers and the text, within limits
    layouts/     recognize the layout of the text: documented format, log lines, Django's report, labels, JSON records
    situations/  classify the failure: disk full, network down, bug in a library and others
    json_part    read the machine-readable part that our client sends beside the text
    report       combine them: a spool record becomes a Report

Guarantee: any bytes give a Report. This file imports nothing, so that a caller loads only the module it needs.
"""
