"""The whole configuration: all tables, and the checks across them."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from relay.config.digests import BudgetSection, DigestSection, RouteSection, TimingSection, Zone
from relay.config.grouping import AppSection, GroupingSection, RedactSection, RuleSection
from relay.config.listen import Listen
from relay.config.section import BuiltBy, Section
from relay.config.server import Http, Log, Smtp, Storage
from relay.config.upstream import Upstream
from relay.config.values import MailAddress, MailAddresses, parse_list
from relay.model import AppRule, Budget, DigestLimits, GroupingRule, Redaction, Route, Timing

CANARY = "relay-canary"
"""The app and the route of the test error of `relay canary`."""
_CANARY_TIMING = Timing(
    first_wait=timedelta(0), interval=timedelta(0), news_gaps=(timedelta(0),), steps=(timedelta(seconds=1),)
)
"""A canary waits for no other report, not even for an earlier canary."""


class Settings(Section):
    """The whole configuration, validated."""

    admins: MailAddresses = ()
    sender: MailAddress | None = None
    templates: Path | None = None
    smtp: Smtp = Smtp()
    http: Http = Http()
    storage: Storage = Field(default_factory=Storage)
    upstream: Upstream = Upstream()
    timing: Annotated[Timing, BuiltBy(TimingSection)] = Timing()
    budget: Annotated[Budget, BuiltBy(BudgetSection)] = Budget()
    digest: Annotated[DigestLimits, BuiltBy(DigestSection)] = DigestLimits()
    route: Annotated[tuple[Annotated[Route, BuiltBy(RouteSection)], ...], BeforeValidator(parse_list)] = ()
    app: Annotated[tuple[Annotated[AppRule, BuiltBy(AppSection)], ...], BeforeValidator(parse_list)] = ()
    rule: Annotated[tuple[Annotated[GroupingRule, BuiltBy(RuleSection)], ...], BeforeValidator(parse_list)] = ()
    grouping: GroupingSection = GroupingSection()
    redact: Annotated[Redaction, BuiltBy(RedactSection)] = Redaction()
    time: Zone = Zone()
    log: Log = Log()

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, data: Any) -> Any:
        """Fill what a route's `timing` leaves out from `[timing]`, and its `learn` from `[grouping]`."""
        routes = parse_list(data.get("route")) if isinstance(data, Mapping) else None
        if not isinstance(data, Mapping) or not isinstance(routes, list | tuple):
            return data
        timing, grouping = (_table(data, name) for name in ("timing", "grouping"))
        learn = {"learn": grouping["learn"]} if "learn" in grouping else {}
        merged = [
            {**learn, **route, **({"timing": {**timing, **(route.get("timing") or {})}} if timing else {})}
            if isinstance(route, Mapping)
            else route
            for route in routes
        ]
        return {**data, "route": merged}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.upstream.host and not self.admins:
            raise ValueError('admins is empty: name at least one recipient, such as admins = ["yourname@example.com"]')
        names = [route.name for route in self.all_routes]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"two routes are named {name!r} (`admins` is the last, implicit one, `relay-canary` the first): "
                    "give each its own name"
                )
        if self.upstream.host and self._upstream_is_ourselves():
            raise ValueError(
                "upstream is the relay's own listener: digests would come back for ever; name the real mail server"
            )
        if self.templates is not None and not os.path.isdir(self.templates):  # noqa: PTH112 -- also False if forbidden
            raise ValueError(f"templates: {self.templates} is no folder")
        self._check_ports()
        return self

    def _check_ports(self) -> None:
        addresses = {"smtp.listen": self.smtp.listen, "smtp.listen_tls": self.smtp.listen_tls}
        addresses["http.listen"] = self.http.listen
        used = [(name, listen) for name, listen in addresses.items() if listen]
        for (one, first), (other, second) in combinations(used, 2):
            if first.collides(second):
                raise ValueError(f"{one} ({first}) and {other} ({second}) have the same port: give each its own")

    def _upstream_is_ourselves(self) -> bool:
        own = {"localhost", socket.gethostname().lower(), self.smtp.listen.host}
        host = self.upstream.host.strip("[]").lower()
        here = host in own or Listen(host, 0).loopback or host in {"0.0.0.0", "::"}  # noqa: S104 -- compared, not bound
        return here and self.upstream.port == self.smtp.listen.port

    @property
    def routes(self) -> tuple[Route, ...]:
        """The configured routes and the implicit last one, `admins`."""
        recipients = self.admins or ("admins@localhost",)
        last = Route(name="admins", recipients=recipients, timing=self.timing, learn=self.grouping.learn)
        return (*self.route, last)

    @property
    def all_routes(self) -> tuple[Route, ...]:
        """All routes in the order in which they are tried: that of `relay canary` first, then `routes`."""
        recipients = self.routes[-1].recipients
        canary = Route(name=CANARY, app=CANARY, recipients=recipients, timing=_CANARY_TIMING, learn=False)
        return (canary, *self.routes)

    @property
    def sender_address(self) -> str:
        """The From address: `sender`, else the upstream's user if it is an address, else one at this host."""
        if self.sender:
            return self.sender
        if "@" in self.upstream.username:
            return self.upstream.username
        host = socket.getfqdn()
        return f"error-mail-relay@{host if '.' in host else 'localhost'}"


def make_settings(data_dir: Path, **tables: Any) -> Settings:
    """Build settings from tables as in `relay.toml`, with the state in `data_dir`."""
    storage = {"data_dir": data_dir, **tables.pop("storage", {})}
    return Settings.model_validate({**tables, "storage": storage})


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The table as it was written; an empty one if there is none."""
    table = data.get(name)
    return table if isinstance(table, Mapping) else {}
