"""Crashes of Swift, on Linux and in Apple's crash reports."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

LINUX = """shop/Cart.swift:12: Fatal error: Index out of range

*** Signal 5: Backtracing from 0x7f5f... done ***

*** Program crashed: System trap at 0x00007f5f0a ***

Thread 0 "shopd" crashed:

0 [inlined] [system] _assertionFailure(_:_:file:line:flags:) in libswiftCore.so at /home/build/AssertCommon.swift:144:5
1 0x0000555500001234 Cart.total(_:) + 45 in shopd at /srv/shop/Sources/shop/Cart.swift:12:9

    10│     func total(_ n: Int) -> Int {
    12│         return prices[n]

2 [ra] 0x0000555500001299 static Main.main() + 12 in shopd at /srv/shop/Sources/shop/Main.swift:3:7
3 [ra] [system] 0x00007f5f00021299 <unknown> in libc.so.6

Registers:
"""
APPLE = """Process:             Shop [4711]
Exception Type:        EXC_BREAKPOINT (SIGTRAP)
Termination Reason:    SIGNAL 5

Thread 0 Crashed:: Dispatch queue: com.apple.main-thread
0   libswiftCore.dylib            \t       0x1a8f4c9fc closure #1 in assertionFailure(_:_:) + 244
1   Shop                          \t       0x1046f2a10 Cart.total(_:) + 52 (Cart.swift:31)
2   UIKitCore                     \t       0x1a2b3c4d5 -[UIApplication run] + 92

Thread 1:
0   libsystem_pthread.dylib       \t       0x19ce03078 start_wqthread + 0
"""


def test_backtrace_of_linux_is_parsed():
    assert outline(LINUX) == [("Fatal error", ["static Main.main", "Cart.total"])]
    assert read(LINUX).errors[0].message == "Index out of range"


def test_crash_report_of_apple_is_parsed():
    assert outline(APPLE) == [("EXC_BREAKPOINT", ["Cart.total"])]
    assert len(read(APPLE).errors[0].frames) == 3


@pytest.mark.parametrize(
    "text",
    [
        "Report\nThread 3 of the loom crashed:\nnobody was hurt\n",
        "Thread 0 Crashed:\n\n\n\n\n\n0   a  0x1 b + 1\n",
        "1 of 3 in stock at /home:1\n",
    ],
)
def test_similar_lines_are_no_traces(text):
    assert find(text) is None
