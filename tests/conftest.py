"""What every test may count on: the relay's settings come from the test alone."""

import os

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
