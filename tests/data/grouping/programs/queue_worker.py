"""Takes jobs from a queue that is not there (redis)."""

import redis


def next_job(queue):
    return redis.Redis(host="127.0.0.1", port=9, db=3).blpop([queue], timeout=1)


def run_refused(rng):
    """No server."""
    return next_job(f"jobs:{rng.randrange(10**5)}")
