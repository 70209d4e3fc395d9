"""Capture of a log record in the thread that logged it: everything that may change or disappear later.

    report      the record as plain values, and the key for equal errors
    text        the formatted text of the record; the traceback may be formatted later
    snapshot    the data for the JSON part of the mail: exceptions, frames, argument types, request
    situations  which of the seven situations of Flask's guide an exception shows
    frames      whether a frame belongs to the app, the standard library or a package

Errors of the app's own classes are caught here: a value that cannot be read is left out.
"""
