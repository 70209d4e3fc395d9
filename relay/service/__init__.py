"""The processes of the relay: `relay serve` holds the sockets and watches a receiver and a worker.

The two children share nothing but the spool.

    sockets         the listening sockets, bound here or inherited from the service manager
    local_networks  the networks behind the words `loopback`, `attached` and `any`
    serve           `relay serve`: opens the sockets, starts the receiver, then loads the rest
    child_config    the configuration that each child gets
    child_process   the supervisor's handle on one child process
    child_protocol  the child's side: configuration in, heartbeats out
    child_main      the entry point of a child process
    lock            one process per role and data directory
    children        the receiver and the worker, put under the supervisor
    reload          the new configuration after SIGHUP
    supervisor      starts, watches and restarts the children
    receiver        the process that accepts mail
    worker          the process that ingests, composes digests, sends them and serves the pages
    waker           wakes the worker: the end of the receiver and of commands
    wakeup          wakes the worker: the worker's end
    worker_loops    the two threads of the worker
    assembly        parts of the worker that are built from the settings
    logs            the relay's own log
    backup          `relay backup` and `relay restore`
    replay          `relay replay`
    demo            `make demo`

Guarantee: a child that dies or hangs is replaced, and clients wait in the listen backlog meanwhile.
No child outlives its supervisor by more than its drain time.
"""
