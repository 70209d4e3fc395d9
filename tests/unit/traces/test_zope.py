"""Tracebacks of Zope and Plone, under both headings."""

import pytest

from tests.support.printed_traces import outline, read

FRAMES = """  Module ZPublisher.Publish, line 138, in publish
  Module ZPublisher.mapply, line 77, in mapply
  Module parish.content.browser, line 41, in __call__
   - __traceback_info__: ('doc', 5)
    return self.view.update()
  Module parish.content.index, line 90, in update
AttributeError: 'NoneType' object has no attribute 'getId'
"""


@pytest.mark.parametrize("heading", ["Traceback (innermost last):\n", "Traceback (most recent call last):\n", ""])
def test_modules_are_the_frames_innermost_last(heading):
    text = f"2026-03-22T03:09:34 ERROR Zope.SiteErrorLog http://example.net/view\n{heading}{FRAMES}"
    trace = read(text)

    assert outline(text) == [("AttributeError", ["__call__", "update"])]
    assert trace.errors[0].message == "'NoneType' object has no attribute 'getId'"
    assert text[trace.start : trace.end] == (heading + FRAMES).rstrip("\n")


def test_traceback_without_its_last_line_has_no_type():
    assert outline(FRAMES.rpartition("AttributeError")[0]) == [("", ["__call__", "update"])]
