"""Log files, syslog and the Windows event log, as in Flask's guide.

handlers  functions that create handlers: plain, rotating, timed and watched files, syslog, Windows event log
rotation  file handlers that rotate a file which several processes write
syslog    the syslog handler, which reconnects
config    handlers from the configuration keys `ERROR_LOG_…`
"""
