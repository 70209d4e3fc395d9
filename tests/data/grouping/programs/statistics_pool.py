"""Counts in several processes (concurrent.futures): a remote traceback."""

from concurrent.futures import ProcessPoolExecutor


def share(number):
    return {"a": 1}[f"row-{number}"]


def counted(numbers):
    with ProcessPoolExecutor(1) as pool:
        return list(pool.map(share, numbers))


def run_remote(rng):
    """The error of a child process."""
    return counted([rng.randrange(10**5)])
