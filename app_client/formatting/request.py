"""`RequestFacts`: what a log record shows of the current request. Independent of any web framework.

A `FactSource` connects formatters with a framework: a function without arguments that returns the facts of the current
request, or None outside of a request. `app_client.flask.request_facts` is the one for Flask. A record can carry
facts of its own (`add_facts`), for code that logs outside of the request or task.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from logging import LogRecord

from app_client.formatting.masking import mask_url
from app_client.formatting.one_line import one_line

_LIMIT = 2000  # characters of a value: the client controls URL and user agent


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """Facts of one request: one line each, at most 2000 characters, "" if unknown. Secrets in the URL are masked."""

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
            text = mask_url(value) if name == "url" else value
            object.__setattr__(self, name, one_line(text[:_LIMIT]))

    def known(self) -> dict[str, str]:
        """Return names and values of all known facts."""
        return {name: value for name in NAMES if (value := getattr(self, name))}


NAMES = tuple(field.name for field in fields(RequestFacts))
"""The names of the facts, which a format may use: `%(url)s`."""

FactSource = Callable[[], RequestFacts | None]

_OWN_FACTS = "_error_mail_facts"


def add_facts(record: LogRecord, facts: RequestFacts) -> None:
    """Let the record carry `facts`; they take precedence over those of a handler's or formatter's `FactSource`."""
    setattr(record, _OWN_FACTS, facts)


def facts_of(record: LogRecord, source: FactSource | None) -> RequestFacts | None:
    """Return the facts that the record carries, else those of the current request; None if there are none."""
    own = getattr(record, _OWN_FACTS, None)
    if isinstance(own, RequestFacts):
        return own
    return source() if source else None
