"""Stacks of C and C++: sanitizers, valgrind, gdb, systemd-coredump, glibc."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

SANITIZER = """=================================================================
==22132==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000014 at pc 0x55fc bp 0x7ffd sp 0x7ffd
READ of size 4 at 0x602000000014 thread T0
    #0 0x55fc484103cc in shop::Cart::total(int) /srv/shop/src/cart.cpp:10:3
    #1 0x55fc4841061b in run(int, char**) /srv/shop/src/main.cpp:14
    #2 0x7fb2d1e45249 in __libc_start_call_main ../sysdeps/nptl/libc_start_call_main.h:58
    #3 0x55fc48410200 in _start (/srv/shop/bin/shop+0x4200)

0x602000000014 is located 4 bytes inside of 8-byte region
freed by thread T0 here:
    #0 0x7fb2d2cb76a8 in __interceptor_free ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:52
"""
GDB = """terminate called after throwing an instance of 'std::out_of_range'
  what():  no cart 5

Program received signal SIGABRT, Aborted.
#0  __pthread_kill_implementation (threadid=<optimized out>, signo=6) at ./nptl/pthread_kill.c:44
#1  0x00007ffff7c9d919 in ?? () from /lib/x86_64-linux-gnu/libstdc++.so.6
#2  0x0000555555556595 in std::vector<int, std::allocator<int> >::at (this=0x7f, __n=5) at /usr/include/c++/12/v.h:75
        n = 5
#10 0x000055555555646a in shop::twice<int> (x=5) at src/cart.cpp:11
#11 0x00005555555563e7 in main (c=2, v=0x7fffffffe7d8) at src/main.cpp:21
"""
COREDUMP = """Process 4711 (shopd) of user 1000 dumped core.

Stack trace of thread 4711:
#0  0x00007f0a4425a050 n/a (libc.so.6 + 0x3c050)
#1  0x00005654292031f9 cart_total (shopd + 0x11f9)
#2  0x0000565429203398 main (shopd + 0x1398)
"""
GLIBC = """Caught SIGSEGV, backtrace:
/usr/bin/shopd(_Z1hi+0x25)[0x565429203222]
/lib/x86_64-linux-gnu/libc.so.6(+0x3c050) [0x7f8a0425a050]
./shopd(_ZN4shop4Cart5totalEi+0x1f)[0x5654292031f9]
./shopd(main+0x20)[0x5654292033e7]
/lib/x86_64-linux-gnu/libc.so.6(__libc_start_main+0x85)[0x7f8a04245305]
"""
VALGRIND = """==12543== Invalid read of size 4
==12543==    at 0x10A1F9: shop::Cart::total(int) (cart.cpp:10)
==12543==    by 0x10A3E6: main (main.cpp:21)
==12543==  Address 0xc is not stack'd
"""


@pytest.mark.parametrize(
    ("text", "type_", "functions"),
    [
        (SANITIZER, "heap-use-after-free", ["run", "shop::Cart::total"]),
        (GDB, "std::out_of_range", ["main", "shop::twice<int>"]),
        (COREDUMP, "", ["main", "cart_total"]),
        (GLIBC, "SIGSEGV", ["main", "shop::Cart::total"]),
        (VALGRIND, "Invalid read", ["main", "shop::Cart::total"]),
    ],
    ids=["sanitizer", "gdb", "coredump", "glibc", "valgrind"],
)
def test_frames_of_the_app_are_parsed(text, type_, functions):
    assert outline(text) == [(type_, functions)]


def test_message_of_the_exception_is_that_of_its_what():
    assert read(GDB).errors[0].message == "no cart 5"


@pytest.mark.parametrize(
    "text",
    [
        "Tickets:\n#0 (nobody) is open\n#1 (Ada) waits\n",
        "Ranking\n#1 Oslo\n#2 Bergen\n",
        "#0 0x5f\n#1 0x60\n",
        "see f(x)[0x7f]\n",
        "Changes\n#1234 in review (Ada)\n",
    ],
)
def test_numbered_lists_are_no_traces(text):
    assert find(text) is None
