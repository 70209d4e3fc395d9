"""Orders couriers over HTTP; nobody listens (httpx)."""

import httpx


def book(number):
    with httpx.Client() as client:
        return client.post(f"http://127.0.0.1:9/parcels/{number}", json={"parcel": number})


def run_refused(rng):
    """The service is down."""
    return book(rng.randrange(10**6))


def run_bad_url(rng):
    """A scheme that is none."""
    return httpx.get(f"parcel-{rng.randrange(999)}://here")
