"""Detects a process that forks its workers later, where no thread may be started: the master of uWSGI.

uWSGI loads the app in its master and forks the workers without Python's fork hooks. A thread of the master may hold the
interpreter lock at that time; no thread of the worker would release it, and the worker would hang for ever.
Source: uWSGI's documentation, "Things to know", and its Python module `uwsgi`.
"""

import sys


def forks_later() -> bool:
    """Return True in the master process of uWSGI, before it forks its workers. No thread may be started there."""
    uwsgi = sys.modules.get("uwsgi")
    try:
        return uwsgi is not None and uwsgi.worker_id() == uwsgi.mule_id() == 0
    except AttributeError:  # a module of the app that has the same name
        return False
