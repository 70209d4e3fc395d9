"""What a server that forks keeps from working, asked before a thread is started.

uWSGI loads the app in its master, and forks the workers from it without a word to Python. A thread that runs in the
master at that moment may hold the interpreter's lock, which nobody in the worker would ever release: it hangs for good.
Source: uWSGI's documentation, "Things to know" and the Python module `uwsgi` that it brings.
"""

import sys


def forks_later() -> bool:
    """True in the process that uWSGI will fork its workers from; there no thread may be started."""
    uwsgi = sys.modules.get("uwsgi")
    try:
        return uwsgi is not None and uwsgi.worker_id() == uwsgi.mule_id() == 0
    except AttributeError:  # a module of the app's own that happens to have this name
        return False
