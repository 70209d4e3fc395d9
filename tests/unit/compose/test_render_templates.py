"""Custom templates: each file replaces a built-in one, runs in a sandbox, and cannot stop a digest."""

from zoneinfo import ZoneInfo

import pytest

from relay.compose.message import html_part, text_part
from relay.compose.render import Renderer
from relay.errors import TemplateError
from tests.support.digests import NOW, Limits, digest, entry

DIGEST = digest(entry())


@pytest.fixture
def folder(tmp_path):
    """A folder of templates: call it with name and source to add one."""

    def write(name: str, source: str | bytes):
        data = source if isinstance(source, bytes) else source.encode()
        (tmp_path / name).write_bytes(data)
        return tmp_path

    return write


def renderer(user_templates, **limits) -> Renderer:
    return Renderer(user_templates, Limits(**limits), ZoneInfo("UTC"), "server-error@example.com")


def test_custom_file_replaces_the_built_in_one_of_the_same_name_only(folder):
    mine = folder("digest.body.txt", "{{ page.lead.title }}: {{ digest.occurrences | number }}")

    rendered, built_in = renderer(mine).digest(DIGEST), renderer(None).digest(DIGEST)

    assert text_part(rendered.raw) == "ZeroDivisionError in checkout: 1,204\n"
    assert html_part(rendered.raw) == html_part(built_in.raw)
    assert rendered.subject == built_in.subject
    assert rendered.faults == ()


def test_custom_subject_is_used_on_one_line(folder):
    mine = folder("digest.subject.txt", "Trouble\nin {{ page.apps }}:\n\n{{ page.summary }}")

    assert renderer(mine).digest(DIGEST).subject == "Trouble in YourApplication Failed: new"


def test_custom_template_can_include_the_built_in_one_and_other_files(folder):
    folder("sign.txt", "-- the shop team")
    mine = folder("digest.body.txt", '{% include "relay/digest.body.txt" %}\n{% include "sign.txt" %}')

    text = text_part(renderer(mine).digest(DIGEST).raw)

    assert "Message type:       ERROR\n" in text
    assert text.endswith("app wrote, by its own clock.\n-- the shop team\n")


def test_custom_frame_is_used_by_the_built_in_html(folder):
    mine = folder("frame.html", "<html><body><b>Shop</b>{% block content %}{% endblock %}</body></html>")

    assert "<b>Shop</b>" in html_part(renderer(mine).digest(DIGEST).raw)


def test_custom_html_is_escaped_and_inlined_too(folder):
    mine = folder(
        "digest.body.html",
        '<link rel="stylesheet" href="http://127.0.0.1:9/x.css"><style>p { color: red; }</style>'
        "<p>{{ page.lead.title }}</p>",
    )

    html = html_part(renderer(mine).digest(digest(entry(title="<b>x</b>"))).raw)

    assert '<p style="color:red">&lt;b&gt;x&lt;/b&gt;</p>' in html


def test_notice_template_can_be_replaced_too(folder):
    mine = folder("notice.body.txt", "{{ title }} / {{ lines | join(' / ') }} / {{ created_at | moment }}")

    notice = renderer(mine).notice(id="a" * 32, recipients=("a@b",), created_at=NOW, title="T", lines=("one", "two"))

    assert text_part(notice.raw) == "T / one / two / 2026-03-03 13:08:02 UTC\n"


@pytest.mark.parametrize(
    ("source", "line", "word"),
    [
        ("fine\n{% if %}", 2, "Expected"),
        ("{{ page.lead | nosuchfilter }}", 1, "nosuchfilter"),
        ("\n\n{% for x in y %}", 3, "endfor"),
        ("{{ 'unclosed }}", 1, "unexpected"),
    ],
)
def test_template_that_does_not_compile_is_refused_with_file_and_line(folder, source, line, word):
    mine = folder("digest.body.html", source)

    with pytest.raises(TemplateError) as stop:
        renderer(mine)

    assert str(stop.value).startswith(f"{mine / 'digest.body.html'}, line {line}: ")
    assert word in str(stop.value)


def test_shared_file_that_does_not_compile_is_refused_too(folder):
    with pytest.raises(TemplateError, match=r"parts\.html, line 1"):
        renderer(folder("parts.html", "{% endif %}"))


def test_template_in_another_encoding_is_refused_with_its_name(folder):
    with pytest.raises(TemplateError, match=r"digest\.body\.txt"):
        renderer(folder("digest.body.txt", b"\xff\xfeG\x00r\x00"))


def test_template_nested_too_deep_for_python_is_refused_with_its_name(folder):
    source = "{% for x in y %}" * 30 + "{% endfor %}" * 30

    with pytest.raises(TemplateError, match=r"digest\.body\.txt: cannot be used: too many statically nested blocks"):
        renderer(folder("digest.body.txt", source))


def test_missing_template_folder_is_refused(tmp_path):
    with pytest.raises(TemplateError, match="nowhere"):
        renderer(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (
            "one\n{{ page.nosuch }}",
            "digest.body.txt, line 2: 'relay.compose.outline.Page object' has no attribute 'nosuch'",
        ),
        ("{{ nosuch }}", "digest.body.txt, line 1: 'nosuch' is undefined"),
        ("{{ 1 / 0 }}", "digest.body.txt, line 1: division by zero"),
        ("{% include 'nosuch.txt' %}", "nosuch.txt"),
        ("{{ range(10**9) }}", "digest.body.txt, line 1: Range too big"),
    ],
)
def test_template_that_fails_on_a_digest_is_replaced_by_the_built_in_one_with_a_note(folder, source, complaint):
    rendered = renderer(folder("digest.body.txt", source)).digest(DIGEST)

    assert "Message type:       ERROR\n" in text_part(rendered.raw)
    assert complaint in rendered.faults[0]
    for part in (text_part(rendered.raw), html_part(rendered.raw)):
        assert "Your own template was not used" in part


def test_only_the_failing_templates_are_replaced(folder):
    folder("digest.subject.txt", "{{ nosuch }}")
    folder("digest.body.html", "{{ nosuch }}")
    mine = folder("digest.body.txt", "mine: {{ page.notes | length }} notes")

    rendered = renderer(mine).digest(DIGEST)

    assert text_part(rendered.raw) == "mine: 2 notes\n"
    assert rendered.subject == renderer(None).digest(DIGEST).subject
    assert [fault.partition(",")[0] for fault in rendered.faults] == ["digest.subject.txt", "digest.body.html"]


def test_built_in_template_that_fails_too_is_an_error_even_if_another_custom_one_works(folder):
    """The renderer must not try the same templates again and again. No valid digest makes a built-in one fail."""
    mine = folder("digest.subject.txt", "mine")
    invalid = digest(entry(), route=None)

    with pytest.raises(TemplateError, match=r"digest\.body\.txt"):
        renderer(mine).digest(invalid)


@pytest.mark.parametrize(
    "source",
    [
        "{{ page.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ digest | attr('__class__') }}",
        "{{ '{0.__class__.__init__.__globals__}'.format(digest) }}",
        "{{ page.notes.__class__ }}",
        "{{ self._TemplateReference__context.environment.__class__ }}",
        "{{ digest.entries.append(1) }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    ],
)
def test_template_cannot_leave_the_sandbox(folder, source):
    rendered = renderer(folder("digest.body.txt", source)).digest(DIGEST)

    assert len(rendered.faults) == 1
    assert "Message type:       ERROR\n" in text_part(rendered.raw)
    assert "<class" not in text_part(rendered.raw)


def test_template_cannot_change_the_digest(folder):
    mine = folder("digest.subject.txt", "{% set digest.id = 'x' %}{{ page.summary }}")

    assert len(renderer(mine).digest(DIGEST).faults) == 1


def test_template_whose_mail_is_too_long_is_replaced_by_the_built_in_one(folder):
    mine = folder("digest.body.txt", "{% for i in range(5000) %}{{ i }} and so on and on\n{% endfor %}")

    rendered = renderer(mine).digest(DIGEST)

    assert len(rendered.raw) <= 90_000
    assert rendered.faults == ("with it the mail is longer than 90000 bytes",)
    assert "Message type:       ERROR\n" in text_part(rendered.raw)


def test_content_is_not_a_template_in_a_custom_template(folder):
    mine = folder("digest.body.txt", "{{ digest.entries[0].title }}")

    rendered = renderer(mine).digest(digest(entry(title="{{ 7*7 }}\x1b[2J")))

    assert text_part(rendered.raw) == "{{ 7*7 }}\\x1b[2J\n"
