"""Decide when an error is reported, and in which digest (pure functions for the digest step).

    group   the life cycle of one group: new, ongoing, again, spike, back, ended
    mutes   mutes of one group: until a time, or until it exceeds a rate
    route   the next digest of one route: which groups are due, which are included early
    plan    when each error is reported next (a simulation of the digest step)
    budget  how many mails one recipient can still get

`now` is an argument and each decision is a value. This package imports nothing at import time: callers load only the
module that they need.
"""
