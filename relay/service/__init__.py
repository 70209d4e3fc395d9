"""The processes: `relay serve` holds the sockets and watches a receiver and a worker, which meet only in the spool.

    sockets      the listening sockets, bound here or inherited
    serve        opens the sockets, starts the rest
    orders       what the children are told, and what SIGHUP makes of it
    roles        one process a role and data directory; how a child and its supervisor hear of each other
    child        how a role is started
    supervisor   starts, watches and restarts the children
    receiver     the process that takes mail
    worker       the process that sorts, decides, sends and shows
    steps        its threads
    backup       all state in one file, and back
    assembly     its parts, put together from the settings
    logs         the relay's own log

Guarantee: a child that dies or hangs is replaced, clients waiting in the backlog meanwhile;
no child outlives its supervisor by more than its drain time.
"""
