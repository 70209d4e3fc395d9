"""Panics of Go."""

from tests.support.printed_traces import outline, read

GO = """2026/11/22 17:03:19 starting
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x98 pc=0xe1f0ab]

goroutine 33 [running]:
os/exec.(*Cmd).Wait(0x0, 0x5bf20a, 0xc42000dc45)
\t/usr/local/go/src/os/exec/exec.go:453 +0x26
example.org/shop/queue.(*Runner).Start.func2.1({0x7ffc3233c786?, 0x531440?})
\t/build/shop/queue/queue.go:40 +0x73
main.main()
\t/build/shop/main.go:41 +0x151
created by main.start in goroutine 1
\t/build/shop/main.go:40 +0x25d

goroutine 1 [chan receive]:
main.other()
\t/build/shop/other.go:1 +0x1
"""


def test_panic_has_the_frames_of_the_goroutine_that_failed():
    assert outline(GO) == [("panic", ["main", "(*Runner).Start"])]
    assert read(GO).errors[0].message == "runtime error: invalid memory address or nil pointer dereference"
