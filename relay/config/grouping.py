"""The tables `[grouping]`, `[[app]]`, `[[rule]]` and `[redact]`: the app of a mail, its error, what is masked in it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from relay.config.section import Section
from relay.config.values import Names, Patterns
from relay.model import Action, split_field


class GroupingSection(Section):
    """`[grouping]`: what the relay finds out by itself about which mails are the same error."""

    learn: bool = True


class AppSection(Section):
    """`[[app]]`: the name of the app whose mails have this sender and subject (shell globs)."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w .-]*$")]
    sender: str = "*"
    subject: str = "*"


class RuleSection(Section):
    """`[[rule]]`: joins the matching mails (shell globs) into one error, splits them into several, or ignores them."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w .-]*$")]
    action: Action
    by: Annotated[str, AfterValidator(split_field)] | None = None
    app: str = "*"
    logger: str = "*"
    title: str = "*"
    message: str = "*"
    fingerprint: Names = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.action is Action.SPLIT) != (self.by is not None):
            missing = 'by is missing: say by what to split, such as by = "host"'
            raise ValueError(missing if self.by is None else 'by goes with action = "split" alone')
        return self


class RedactSection(Section):
    """`[redact]`: what is masked in a mail before anything of it is stored or sent."""

    enabled: bool = True
    names: Names = ()
    patterns: Patterns = ()
