"""Renders digests and notices into mails: what to show, templates, size, headers.

    Digest ─► Page (page) ─► subject, text, HTML (templates) ─► bytes (mime)

The templates are those of `templates/mail`; a file of the same name in the user's own folder
takes its place. Guarantees: what a mail said is only ever data here, never a template and
never a header; a digest is rendered whatever it holds and whatever the user's templates do
(then by ours, with a note that says so); it is no longer than its limit; equal digests give
equal bytes.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

from css_inline import CSSInliner, InlineError
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PrefixLoader, StrictUndefined, Template
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from relay import humanize
from relay.compose.highlight import highlight
from relay.compose.message import Heading, compose
from relay.compose.page import Detail, details, page, sentences
from relay.errors import TemplateError
from relay.model import Digest, DigestLimits, MessageKind, Rendered
from relay.resources import templates_dir
from relay.text import cut, cut_inside, one_line, padded, plain

_SUBJECT, _TEXT, _HTML = "subject.txt", "body.txt", "body.html"
_LONGEST_SUBJECT = 200

_INLINER = CSSInliner(keep_at_rules=True, minify_css=True, load_remote_stylesheets=False)

Triple = dict[str, Template]
"""The templates of one kind of mail, by part."""

Names = dict[str, Any]
"""What templates are given."""

Context = Callable[[Sequence[str], Detail], Names]
"""Makes them for some detail, with these notes above the rest."""


class _FailedError(Exception):
    """Templates for these `parts` failed on the mail at hand; the text says which, where and how."""

    def __init__(self, parts: Iterable[str], text: str) -> None:
        super().__init__(text)
        self.parts = tuple(parts)


class Renderer:
    """Turns digests and notices into mails.

    `user_templates` is a folder whose files take the place of ours by name (None: ours alone), `zone` is where the
    readers' clocks are, `sender` a mail address. Raises TemplateError, naming file and line, where a template does
    not compile.
    """

    def __init__(self, user_templates: Path | None, limits: DigestLimits, zone: tzinfo, sender: str) -> None:
        self._limits, self._zone, self._sender = limits, zone, sender
        ours = FileSystemLoader(templates_dir() / "mail")
        self._ours = self._used = _compile(ours, ours.list_templates(), zone)
        if user_templates is not None:
            names = {*ours.list_templates(), *_names_in(user_templates)}
            loader = ChoiceLoader([FileSystemLoader(user_templates), ours, PrefixLoader({"relay": ours})])
            self._used = _compile(loader, sorted(names), zone)

    def digest(self, digest: Digest) -> Rendered:
        """Render `digest` in as much detail as the limits allow; its counts are exact in any."""

        def context(notes: Sequence[str], detail: Detail) -> Names:
            told = replace(digest, notes=(*notes, *digest.notes))
            return {"digest": told, "page": page(told, detail, self._zone)}

        heading = Heading(
            id=digest.id,
            kind=digest.kind,
            sender=self._sender,
            recipients=digest.recipients,
            at=digest.created_at.astimezone(self._zone),
            thread=digest.thread,
        )
        return self._render("digest", heading, context, len(digest.entries))

    def notice(
        self,
        *,
        id: str,  # noqa: A002 - as it is called in Digest and Letter
        recipients: Sequence[str],
        created_at: datetime,
        title: str,
        lines: Sequence[str],
    ) -> Rendered:
        """Render the relay's own words: a `title` of a few, and `lines`, each a paragraph of its own.

        `id` is 32 hex digits, as a digest's.
        """

        def context(notes: Sequence[str], detail: Detail) -> Names:
            told = sentences((*notes, *lines), detail.notes)
            return {"title": one_line(title, 120), "lines": told, "created_at": created_at}

        heading = Heading(
            id=id,
            kind=MessageKind.NOTICE,
            sender=self._sender,
            recipients=recipients,
            at=created_at.astimezone(self._zone),
        )
        return self._render("notice", heading, context, 0)

    def _render(self, kind: str, heading: Heading, context: Context, errors: int) -> Rendered:
        """Render with the user's templates; each that fails on this mail gives way to ours, and a note says so."""
        ours, triple = _triple(self._ours, kind), _triple(self._used, kind)
        faults: list[str] = []
        while True:
            try:
                rendered = self._fit(triple, heading, partial(context, _confessions(faults)), errors)
                rendered = self._bounded(rendered, theirs=() if triple == ours else triple)
            except _FailedError as failed:
                if triple == ours:
                    raise TemplateError(str(failed)) from failed
                triple |= {part: ours[part] for part in failed.parts}
                faults.append(str(failed))
            else:
                return replace(rendered, faults=tuple(faults))

    def _fit(self, triple: Triple, heading: Heading, context: Callable[[Detail], Names], errors: int) -> Rendered:
        """The longest mail within the limit, else the shortest: a bisection, for each step is shorter than the last."""
        steps = tuple(details(self._limits, errors))
        low, place, high = 0, 0, len(steps) - 1
        fitting: Rendered | None = None
        while low <= high:
            rendered = _mail(triple, heading, context(steps[place]))
            if len(rendered.raw) <= self._limits.max_size:
                fitting, high = rendered, place - 1
            else:
                low = place + 1
            place = (low + high) // 2
        return fitting or rendered

    def _bounded(self, rendered: Rendered, theirs: Iterable[str]) -> Rendered:
        """Refuse templates of the user's that do not shorten; ours do, and a mail too long is better than none."""
        if theirs and len(rendered.raw) > self._limits.max_size:
            raise _FailedError(theirs, f"with it the mail is longer than {self._limits.max_size} bytes")
        return rendered


def _confessions(faults: Iterable[str]) -> list[str]:
    return [f"Your own template was not used: {fault}" for fault in faults]


def _mail(triple: Triple, heading: Heading, context: Names) -> Rendered:
    subject = cut_inside(one_line(_fill(triple, _SUBJECT, context), 1000), _LONGEST_SUBJECT)
    context |= {"subject": subject}
    text = _fill(triple, _TEXT, context).strip("\n") + "\n"
    html = _inlined(_fill(triple, _HTML, context))
    raw = compose(heading, subject=subject, text=text, html=html)
    return Rendered(message_id=heading.message_id, subject=subject, raw=raw)


def _fill(triple: Triple, part: str, context: Names) -> str:
    try:
        return plain(triple[part].render(context))
    except Exception as error:
        raise _FailedError([part], _told(triple[part], error)) from error


def _told(template: Template, error: Exception) -> str:
    """Name the template, its line where Jinja put one into the traceback, and what went wrong there."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == template.filename]
    line = f", line {frames[-1].lineno}" if frames else ""
    return f"{template.name}{line}: {one_line(str(error)) or type(error).__name__}"


def _inlined(html: str) -> str:
    try:
        return _INLINER.inline(html)
    except InlineError:  # a style sheet of the user's that cannot be read: the mail goes out without it inlined
        return html


def _triple(templates: Triple, kind: str) -> Triple:
    return {part: templates[f"{kind}.{part}"] for part in (_SUBJECT, _TEXT, _HTML)}


def _names_in(folder: Path) -> list[str]:
    """The templates in a user's folder. Raises TemplateError where it cannot be read."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix in (".txt", ".html"))
    except OSError as error:
        raise TemplateError(f"{folder}: cannot be read: {error.strerror}") from error


def _compile(loader: BaseLoader, names: Iterable[str], zone: tzinfo) -> Triple:
    """The templates of these names, compiled. Raises TemplateError with file and line for the first that does not."""
    environment = _environment(loader, zone)
    templates = {}
    for name in names:
        try:
            templates[name] = environment.get_template(name)
        except TemplateSyntaxError as error:
            raise TemplateError(f"{error.filename or name}, line {error.lineno}: {error.message}") from error
        except (OSError, ValueError, SyntaxError, RecursionError) as error:  # unreadable, no UTF-8, nested too deep
            raise TemplateError(f"{name}: cannot be used: {error}") from error
    return templates


def _environment(loader: BaseLoader, zone: tzinfo) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        autoescape=lambda name: bool(name) and str(name).endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters |= {
        "counted": humanize.counted,
        "cut": cut,
        "duration": humanize.duration,
        "highlight": highlight,
        "listed": humanize.listed,
        "moment": partial(humanize.moment, zone=zone),
        "number": humanize.number,
        "one_line": one_line,
        "padded": padded,
    }
    return environment
