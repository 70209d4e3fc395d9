"""Stack traces of Dart and Flutter."""

import pytest

from relay.traces import find, relevant_frames
from tests.support.printed_traces import outline, read

UNHANDLED = """Unhandled exception:
FormatException: Invalid date format
copper-2942
#0      DateTime.parse (dart:core/date_time.dart:369:7)
#1      Plan.read.<anonymous closure> (package:plan/src/plan.dart:33:61)
<asynchronous suspension>
#2      main (file:///srv/plan/current/bin/plan.dart:9:3)
"""
FLUTTER = """I/flutter (18113): ══╡ EXCEPTION CAUGHT BY WIDGETS LIBRARY ╞═════════
I/flutter (18113): The following StateError was thrown building CartPage(dirty):
I/flutter (18113): Bad state: no cart
I/flutter (18113):
I/flutter (18113): When the exception was thrown, this was the stack:
I/flutter (18113): #0      CartPage.build (package:shop/cart_page.dart:12:5)
I/flutter (18113): #1      StatelessElement.build (package:flutter/src/widgets/framework.dart:4569:28)
I/flutter (18113): ...
I/flutter (18113): #2      Element.rebuild (package:flutter/src/widgets/framework.dart:4400:5)
"""
SHORT = """Unhandled exception:
Exception: no cart 5
package:shop/cart.dart 12:5  Cart.total.<fn>
===== asynchronous gap ===========================
dart:async                   _completeOnAsyncReturn
package:shop/web.dart 3:1    Web.show
"""


def test_trace_of_an_unhandled_exception_is_parsed():
    assert outline(UNHANDLED) == [("FormatException", ["main", "Plan.read"])]
    assert [frame.function for frame in read(UNHANDLED).errors[0].frames][-1] == "DateTime.parse"


def test_report_of_flutter_is_parsed_behind_its_margin():
    assert outline(FLUTTER) == [("StateError", ["CartPage.build"])]
    assert read(FLUTTER).errors[0].message == "Bad state: no cart"
    assert len(read(FLUTTER).errors[0].frames) == 3


def test_short_form_is_parsed():
    assert outline(SHORT) == [("Exception", ["Web.show", "Cart.total"])]


def test_app_is_the_outermost_package_that_is_not_well_known():
    text = UNHANDLED.replace("file:///srv/plan/current/bin/plan.dart", "package:shop/main.dart")

    assert [frame.place for frame in relevant_frames(read(text))[0]] == ["main (shop/main.dart)"]


@pytest.mark.parametrize("text", ["a\npackage: is late\n", "list:\n#0 open\n#1 shut\n", "package:shop is new\n"])
def test_similar_lines_are_no_traces(text):
    assert find(text) is None
