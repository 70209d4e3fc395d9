"""The tables of what a mail is taken for: whose it is, which error it is, what of it is masked."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from relay.config.section import Section
from relay.config.values import Patterns, Words
from relay.model import Action, SplitBy


class AppSection(Section):
    """`[[app]]`: names the app behind the mails from a sender and with a subject (shell globs)."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w .-]*$")]
    sender: str = "*"
    subject: str = "*"


class RuleSection(Section):
    """`[[rule]]`: says of the mails it matches (shell globs) that they are one error, several, or none."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w .-]*$")]
    action: Action
    by: SplitBy | None = None
    app: str = "*"
    logger: str = "*"
    title: str = "*"
    message: str = "*"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.action is Action.SPLIT) != (self.by is not None):
            missing = 'by is missing: say by what to split, such as by = "host"'
            raise ValueError(missing if self.by is None else 'by goes with action = "split" alone')
        return self


class RedactSection(Section):
    """`[redact]`: what is masked before anything of a mail is kept or sent."""

    enabled: bool = True
    names: Words = ()
    patterns: Patterns = ()
