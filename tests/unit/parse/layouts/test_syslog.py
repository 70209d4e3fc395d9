"""Syslog lines: host and program are removed from the message."""

import pytest

from relay.parse.report import parse_text


@pytest.mark.parametrize(
    "header",
    [
        "Nov 22 17:03:11 web-1 sshd[4711]: ",
        "<34>Nov  2 07:03:11 web-1.example.net sshd: ",
        "2026-11-22T17:03:11.512345+01:00 web-1 /usr/sbin/sshd[47]: ",
        "<165>1 2026-11-22T17:03:11.5Z 10.0.0.7 sshd 4711 ID47 - ",
    ],
)
def test_syslog_line_gives_message_host_and_program(header):
    report = parse_text("x", f"{header}Failed password for ada\n")

    assert (report.message, report.logger) == ("Failed password for ada", "sshd")
    assert report.host in header
    assert report.time in " ".join(header.split())


def test_uptime_in_kernel_messages_is_removed():
    report = parse_text("x", "Nov 22 17:03:11 web-1 kernel: [12345.678901] Out of memory: Killed process 17 (java)")

    assert (report.message, report.logger) == ("Out of memory: Killed process 17 (java)", "kernel")


@pytest.mark.parametrize("text", ["Nov 22 17:03:11 something happened", "May I ask: what is this?", "1 of 2: no"])
def test_text_that_only_begins_like_syslog_stays(text):
    assert parse_text("x", text).message == text
