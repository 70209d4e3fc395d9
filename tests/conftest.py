"""What every test may count on: the relay's settings come from the test alone, and no test touches a default port."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no finding: how fast something is, is measured elsewhere.
settings.register_profile("exploring", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The gate says the same of the same tree; `make explore` goes on to examples that nobody has seen.
settings.register_profile("unhurried", settings.get_profile("exploring"), derandomize=True)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own RELAY_… variables, or a supervisor's sockets, must not change what a test sees."""
    for name in list(os.environ):
        if name.startswith(("RELAY_", "LISTEN_")):
            monkeypatch.delenv(name)


DEFAULT_PORTS = {25, 2525, 8026}


def refuse_default_ports(event: str, arguments: tuple[object, ...]) -> None:
    """A test that uses a default port fails where a relay or a mail server runs already: let it fail everywhere."""
    if event in {"socket.bind", "socket.connect"}:
        address = arguments[1]
        if isinstance(address, tuple) and address[1] in DEFAULT_PORTS:
            pytest.fail(f"this test uses the default port {address[1]}; take a free one (port 0)")


sys.addaudithook(refuse_default_ports)
