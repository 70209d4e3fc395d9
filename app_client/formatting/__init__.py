"""How a record is written: the documented mail and file formats, one line, JSON; secrets are masked.

    formatters      the formatters that apps use
    json_formatter  one JSON object a line
    one_line        a record on one line
    request         the request being served
    traceback       the traceback, with source lines where they can be read
    masking         masks what is secret by its name

A formatter never raises: a record that cannot be formatted is written as far as it can be.
"""
