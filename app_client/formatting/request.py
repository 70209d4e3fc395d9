"""What is told of the request in which something was logged; knows no web framework.

The seam between formatters and frameworks is a `FactSource`: a function without arguments that returns the facts of
the request being served right now, or None when there is none. `app_client.flask.request_facts` is Flask's.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

from app_client.formatting.masking import mask_url
from app_client.formatting.one_line import one_line

_LIMIT = 2000  # characters of a value: URLs and user agents are the client's to choose


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """Each is text in one line, at most 2000 characters, "" where it is not known; the URL's secrets are masked."""

    method: str = ""
    url: str = ""
    endpoint: str = ""
    remote_addr: str = ""
    user_agent: str = ""
    request_id: str = ""
    user_id: str = ""

    def __post_init__(self) -> None:
        for name in NAMES:
            value = getattr(self, name)
            told = mask_url(value) if name == "url" else value
            object.__setattr__(self, name, one_line(told[:_LIMIT]))

    def known(self) -> dict[str, str]:
        """Name and value of all that is known."""
        return {name: value for name in NAMES if (value := getattr(self, name))}


NAMES = tuple(field.name for field in fields(RequestFacts))
"""The facts' names, which a format may use: `%(url)s`."""

FactSource = Callable[[], RequestFacts | None]
