"""The processes: `relay serve` holds the sockets and watches a receiver and a worker, which meet only in the spool.

    sockets      the listening sockets, bound here or inherited
    roles        one process a role and data directory; what a child is told at its start
    supervisor   starts, watches and restarts the children
    receiver     the process that takes mail
    worker       the process that sorts, decides, sends and shows

Guarantee: a child that dies or hangs is replaced, clients waiting in the backlog meanwhile;
no child outlives its supervisor by more than its drain time.
"""
