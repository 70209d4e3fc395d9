"""Log files, syslog and the Windows event log, as Flask's guide shows them.

    handlers  makes the handlers: plain, rotating, timed, watched, syslog, Windows event log
    rotation  rotation that several processes survive
    syslog    syslog over a socket that may go away
    config    the configuration keys `ERROR_LOG_…`

A handler that cannot be made says which setting is wrong.
"""
