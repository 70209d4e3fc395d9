"""Weather by station (falcon)."""

import falcon
from falcon import testing


class Station:
    def on_get(self, req, resp, code):
        resp.media = {"degrees": self.measured(code)}

    def measured(self, code):
        if code.startswith("X"):
            raise LookupError(f"station {code} has not reported for {len(code)} hours")
        return float(f"n/a at {code}")


app = falcon.App()
app.add_route("/stations/{code}", Station())


def reraised(req, resp, error, params):
    raise error


app.add_error_handler(Exception, reraised)


def get(code):
    return testing.TestClient(app).simulate_get(f"/stations/{code}")


def run_silent(rng):
    """A station that is silent."""
    return get(f"X{rng.randrange(10**4)}")


def run_no_number(rng):
    """The same place, another error."""
    return get(f"S{rng.randrange(10**4)}")
