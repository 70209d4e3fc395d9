"""The argument `mailhost`: valid values are parsed, invalid ones are refused at once with a clear text."""

import re
import socket

import pytest

from app_client import ErrorMailHandler
from app_client.delivery.mailhost import is_loopback, split_mailhost
from tests.support.smtp_sinks import Sink


@pytest.mark.parametrize(
    ("mailhost", "expected"),
    [
        ("127.0.0.1", ("127.0.0.1", None)),
        ("relay.example.com", ("relay.example.com", None)),
        ("localhost:2525", ("localhost", 2525)),
        (("127.0.0.1", 2525), ("127.0.0.1", 2525)),
        (["127.0.0.1", 2525], ("127.0.0.1", 2525)),
        (("127.0.0.1", "2525"), ("127.0.0.1", 2525)),
        (("127.0.0.1", None), ("127.0.0.1", None)),
        (("127.0.0.1", 0), ("127.0.0.1", None)),
        ("::1", ("::1", None)),
        ("[::1]", ("::1", None)),
        ("[::1]:2525", ("::1", 2525)),
        ("fe80::1%eth0", ("fe80::1%eth0", None)),
        (("::1", 2525), ("::1", 2525)),
        (("[::1]", 2525), ("::1", 2525)),
        ("2001:db8::25", ("2001:db8::25", None)),
    ],
    ids=str,
)
def test_valid_mailhosts_are_parsed(mailhost, expected):
    assert split_mailhost(mailhost) == expected


@pytest.mark.parametrize(
    "mailhost",
    [
        "", ":2525", "relay:", "relay:smtp", "relay:99999", "relay:-1", "relay:0x19", "relay:\u0662\u0665", "smtp://relay:25",
        "relay:25:25", "[::1", "[relay]:x", "::1]:25", "re lay", "relay\n", ("relay", 70000), ("relay", "smtp"),
        ("relay",), ("relay", 25, 1), ("", 25), (None, 25), None, 25, ("relay:25", 25),
    ],
    ids=repr,
)  # fmt: skip
def test_an_invalid_mailhost_is_refused_with_its_value(mailhost):
    with pytest.raises(ValueError, match="mailhost") as refusal:
        split_mailhost(mailhost)

    assert repr(mailhost) in str(refusal.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_loopback_hosts(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "relay", "localhost.example.com", "::2", "0.0.0.0"])
def test_other_hosts_are_not_loopback(host):
    assert not is_loopback(host)


def test_host_and_port_in_one_string_reach_the_relay(sink: Sink, make_handler, make_logger):
    """The standard handler would take the whole text for a host name."""
    make_logger(make_handler(f"127.0.0.1:{sink.port}")).error("found")

    assert sink.wait_for(1)[0].text == "found\n"


def test_a_relay_on_ipv6_is_reached(make_handler, make_logger):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    relay = Sink(host="::1").start()
    make_logger(make_handler(f"[::1]:{relay.port}")).error("found")
    mails = relay.wait_for(1)
    relay.stop()

    assert mails[0].text == "found\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mailhost": "relay:smtp"}, "port in mailhost 'relay:smtp'"),
        ({"toaddrs": []}, "toaddrs is empty"),
        ({"toaddrs": ["nobody <>"]}, "no mail address: 'nobody <>'"),
        ({"fromaddr": ""}, "no mail address: ''"),
        ({"queue_size": 0}, "queue_size"),
        ({"queue_bytes": -1}, "queue_bytes"),
        ({"timeout": 0}, "timeout"),
    ],
    ids=str,
)
def test_invalid_arguments_are_refused_at_set_up(changes, words):
    arguments = {"mailhost": "127.0.0.1", "fromaddr": "a@b", "toaddrs": "c@d", "subject": "Failed"} | changes

    with pytest.raises(ValueError, match=re.escape(words)):
        ErrorMailHandler(**arguments)
