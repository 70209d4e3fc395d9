"""The processes: `relay serve` holds the sockets and watches a receiver and a worker, which meet only in the spool.

    sockets      the listening sockets, bound here or inherited
    serve        opens the sockets, has the receiver begin, then loads the rest
    orders       what the children are told
    process      one child's process: started, told its order, ended
    roles        one process a role and data directory; how a child hears of its supervisor
    child        how a role is started
    supervision  the children, put together
    reread       what SIGHUP makes of the configuration
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
