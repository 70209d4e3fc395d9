"""Render digests and notices as mails: layout, templates, size limit, headers.

    Digest ─► Page (page) ─► subject, text, HTML (templates) ─► bytes (message)

The built-in templates are in `templates/mail`. A file of the same name in the user's folder replaces one of them.

Guarantees: text from mails is only data, never a template and never a header. A digest is rendered whatever it contains
and whatever the user's templates do: a template that fails is replaced by the built-in one, and a note says so. A
digest is no longer than its limit. Equal digests give equal bytes.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

from css_inline import CSSInliner, InlineError
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PrefixLoader, StrictUndefined, Template
from jinja2.exceptions import TemplateSyntaxError
from jinja2.meta import find_referenced_templates
from jinja2.sandbox import ImmutableSandboxedEnvironment

from relay import humanize
from relay.compose.highlight import highlight
from relay.compose.message import Heading, compose
from relay.compose.outline import Detail, details, page, sentences
from relay.errors import TemplateError
from relay.model import Digest, DigestLimits, MessageKind, Rendered
from relay.resources import templates_dir
from relay.text import cut, cut_inside, one_line, padded, plain

_SUBJECT, _TEXT, _HTML = "subject.txt", "body.txt", "body.html"
_LONGEST_SUBJECT = 200

_INLINER = CSSInliner(keep_at_rules=True, minify_css=True, load_remote_stylesheets=False)

TemplateSet = dict[str, Template]
"""The templates of one kind of mail, by part; or all templates, by file name."""

Context = dict[str, Any]
"""The variables of a template."""

ContextBuilder = Callable[[Sequence[str], Detail], Context]
"""Returns the context for a level of detail, with these notes before all others."""


class _FailedError(Exception):
    """The templates of these `parts` failed on the current mail; the text names the template, line and fault."""

    def __init__(self, parts: Iterable[str], text: str) -> None:
        super().__init__(text)
        self.parts = tuple(parts)


class Renderer:
    """Renders digests and notices as mails.

    `user_templates` is a folder whose files replace the built-in templates by name (None: built-in ones only). Times
    are shown in `zone`. `sender` is a mail address. Raises TemplateError with file and line if a template does not
    compile.
    """

    def __init__(self, user_templates: Path | None, limits: DigestLimits, zone: tzinfo, sender: str) -> None:
        self._limits, self._zone, self._sender = limits, zone, sender
        built_in = FileSystemLoader(templates_dir() / "mail")
        self._built_in = self._used = _compile(built_in, built_in.list_templates(), zone)
        if user_templates is not None:
            names = {*built_in.list_templates(), *_names_in(user_templates)}
            loader = ChoiceLoader([FileSystemLoader(user_templates), built_in, PrefixLoader({"relay": built_in})])
            self._used = _compile(loader, sorted(names), zone)

    def digest(self, digest: Digest) -> Rendered:
        """Render `digest` in as much detail as the limits allow. Its counts are exact at any level of detail."""

        def context(notes: Sequence[str], detail: Detail) -> Context:
            with_notes = replace(digest, notes=(*notes, *digest.notes))
            return {"digest": with_notes, "page": page(with_notes, detail, self._zone)}

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
        id: str,  # noqa: A002 - the name of the field in Digest and OutboxMessage
        recipients: Sequence[str],
        created_at: datetime,
        title: str,
        lines: Sequence[str],
    ) -> Rendered:
        """Render a message of the relay itself: a short `title`, and `lines`, each a paragraph.

        `id` is 32 hex digits, like the id of a digest.
        """

        def context(notes: Sequence[str], detail: Detail) -> Context:
            shown = sentences((*notes, *lines), detail.notes)
            return {"title": one_line(title, 120), "lines": shown, "created_at": created_at}

        heading = Heading(
            id=id,
            kind=MessageKind.NOTICE,
            sender=self._sender,
            recipients=recipients,
            at=created_at.astimezone(self._zone),
        )
        return self._render("notice", heading, context, 0)

    def _render(self, kind: str, heading: Heading, context: ContextBuilder, errors: int) -> Rendered:
        """Render with the user's templates. A template that fails is replaced by the built-in one, and a note says so.

        Each turn of the loop replaces at least one custom template, so it ends. Raises TemplateError if a built-in one
        fails.
        """
        built_in, used = _of_kind(self._built_in, kind), _of_kind(self._used, kind)
        faults: list[str] = []
        while True:
            try:
                rendered = self._fit(used, heading, partial(context, _fault_notes(faults)), errors)
                rendered = self._bounded(rendered, custom=() if used == built_in else used)
            except _FailedError as failed:
                if all(used[part] is built_in[part] for part in failed.parts):
                    raise TemplateError(str(failed)) from failed
                used |= {part: built_in[part] for part in failed.parts}
                faults.append(str(failed))
            else:
                return replace(rendered, faults=tuple(faults))

    def _fit(
        self, templates: TemplateSet, heading: Heading, context: Callable[[Detail], Context], errors: int
    ) -> Rendered:
        """Return the longest mail within the limit, or the shortest one if none fits.

        Each level of detail gives a shorter mail than the one before. The first is tried first, since it nearly always
        fits; then the search is a bisection.
        """
        steps = tuple(details(self._limits, errors))
        low, place, high = 0, 0, len(steps) - 1
        fitting: Rendered | None = None
        while low <= high:
            rendered = _mail(templates, heading, context(steps[place]))
            if len(rendered.raw) <= self._limits.max_size:
                fitting, high = rendered, place - 1
            else:
                low = place + 1
            place = (low + high) // 2
        return fitting or rendered

    def _bounded(self, rendered: Rendered, custom: Iterable[str]) -> Rendered:
        """Reject custom templates if the mail is too long. With built-in ones, a mail that is too long is sent."""
        if custom and len(rendered.raw) > self._limits.max_size:
            raise _FailedError(custom, f"with it the mail is longer than {self._limits.max_size} bytes")
        return rendered


def _fault_notes(faults: Iterable[str]) -> list[str]:
    return [f"Your own template was not used: {fault}" for fault in faults]


def _mail(templates: TemplateSet, heading: Heading, context: Context) -> Rendered:
    subject = cut_inside(one_line(_fill(templates, _SUBJECT, context), 1000), _LONGEST_SUBJECT)
    context |= {"subject": subject}
    text = _fill(templates, _TEXT, context).strip("\n") + "\n"
    html = _inlined(_fill(templates, _HTML, context))
    raw = compose(heading, subject=subject, text=text, html=html)
    return Rendered(message_id=heading.message_id, subject=subject, raw=raw)


def _fill(templates: TemplateSet, part: str, context: Context) -> str:
    try:
        return plain(templates[part].render(context))
    except Exception as error:
        raise _FailedError([part], _fault(templates[part], error)) from error


def _fault(template: Template, error: Exception) -> str:
    """Return the name of the template, the line if Jinja put one into the traceback, and the error text."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == template.filename]
    line = f", line {frames[-1].lineno}" if frames else ""
    return f"{template.name}{line}: {one_line(str(error)) or type(error).__name__}"


def _inlined(html: str) -> str:
    try:
        return _INLINER.inline(html)
    except InlineError:  # the style sheet of a custom template is invalid: the mail goes out without inlined styles
        return html


def _of_kind(templates: TemplateSet, kind: str) -> TemplateSet:
    return {part: templates[f"{kind}.{part}"] for part in (_SUBJECT, _TEXT, _HTML)}


def _names_in(folder: Path) -> list[str]:
    """Return the names of the templates in the user's folder. Raises TemplateError if it cannot be read."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix in (".txt", ".html"))
    except OSError as error:
        raise TemplateError(f"{folder}: cannot be read: {error.strerror}") from error


def unused_files(folder: Path) -> list[str]:
    """Return the names of the files in the user's folder that no mail uses: no built-in template has such a name.

    A file that another one includes, imports or extends is used; so are all, if a template computes the name.
    Hidden files do not count. Raises TemplateError.
    """
    environment = _environment(FileSystemLoader(folder), UTC)
    used = set(FileSystemLoader(templates_dir() / "mail").list_templates())
    for name in _names_in(folder):
        try:
            named = set(find_referenced_templates(environment.parse((folder / name).read_text("utf-8"))))
        except (TemplateSyntaxError, UnicodeDecodeError, OSError):  # the renderer reports it
            continue
        if None in named:
            return []
        used |= {each for each in named if each}
    return sorted(
        path.name for path in folder.iterdir() if path.is_file() and path.name[0] != "." and path.name not in used
    )


def _compile(loader: BaseLoader, names: Iterable[str], zone: tzinfo) -> TemplateSet:
    """Return the compiled templates by name. Raises TemplateError with file and line if one does not compile."""
    environment = _environment(loader, zone)
    templates = {}
    for name in names:
        try:
            templates[name] = environment.get_template(name)
        except TemplateSyntaxError as error:
            raise TemplateError(f"{error.filename or name}, line {error.lineno}: {error.message}") from error
        except (OSError, ValueError, SyntaxError, RecursionError) as error:  # unreadable, not UTF-8, nested too deep
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
        "zone": lambda at: humanize.zone_name(at.astimezone(zone)),
        "number": humanize.number,
        "one_line": one_line,
        "padded": padded,
    }
    return environment
