"""Delivery of reports to the relay: a bounded queue in memory, and a thread that sends over SMTP.

    queue       the bounded queue of reports; equal reports share one entry with a count
    sender      the thread that sends
    backoff     how long the thread pauses between two attempts
    courier     one attempt to send one mail, and messages on stderr
    message     a report as a mail
    json_part   the JSON part of that mail
    connection  the SMTP connection, which stays open between mails
    tls         the TLS context of that connection
    mailhost    parses the `mailhost` argument: host and port
    fallback    the folder for mails while the relay is unavailable
    forking     detects a process that forks its workers later (uWSGI)

Guarantee: the app neither waits for this package nor gets an exception from it.
"""
