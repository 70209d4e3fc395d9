"""From a record to the relay: a queue that never makes the app wait, and a thread that sends.

    message     the mail of one record
    json_part   the record in machine-readable form, beside the text
    queue       what waits to be sent, bounded; equal records are counted
    sender      the thread that sends
    courier     one try of one message
    connection  the SMTP connection, kept open while it is used
    tls         the TLS context of that connection
    mailhost    host and port, as the standard handler takes them
    backoff     how long the thread waits after a failure
    fallback    the file that takes what the relay does not
    forking     what a forked process does with the thread and the connection

The app never waits, and never gets an exception from here.
"""
