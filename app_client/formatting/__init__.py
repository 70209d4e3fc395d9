"""Formatters for log records: the documented mail and file formats, and JSON; secrets are masked.

formatters      formatters for mails and log files
json_formatter  one JSON object per line
one_line        escapes characters that could end or disguise a line
request         the facts of the current request
traceback       a traceback that is formatted later
masking         masks values with secret names
"""
