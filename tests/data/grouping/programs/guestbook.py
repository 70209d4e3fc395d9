"""A guestbook on the web (bottle)."""

import bottle

app = bottle.Bottle(catchall=False)
ENTRIES = {}


@app.get("/entry/<number:int>")
def entry(number):
    return ENTRIES[number]


@app.get("/page/<number:int>")
def page(number):
    return str(100 // (number - number))


def started(status, headers, exc_info=None):
    pass


def get(path):
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
    return list(app(environ, started))


def run_no_entry(rng):
    """Not there."""
    return get(f"/entry/{rng.randrange(10**6)}")


def run_no_pages(rng):
    """A division by nothing."""
    return get(f"/page/{rng.randrange(10**6)}")
