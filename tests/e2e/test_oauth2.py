"""The real relay logs in with access tokens, and no secret is in what it writes and shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.authorization_server import MAILBOX, SECRET, AuthorizationServer
from tests.support.processes import Relay, send_mail, wait_for
from tests.support.upstream import Upstream, authority_in

pytestmark = pytest.mark.e2e


def test_digest_is_delivered_with_a_token_also_after_an_outage_of_the_token_endpoint(
    make_relay: Callable[..., Relay], tmp_path
):
    certificate = authority_in(tmp_path / "upstream").issue_cert("localhost")
    with (
        AuthorizationServer() as authorization,
        Upstream(security="starttls", certificate=certificate, tokens=authorization.accepts) as server,
    ):
        authorization.stop_answering()
        through = {
            "host": server.host,
            "port": server.port,
            "username": MAILBOX,
            "ca_file": tmp_path / "upstream" / "ca.pem",
            "retry": ["1s"],
            "oauth2": authorization.tables(),
        }
        with make_relay(upstream=through) as relay:
            send_mail(relay.smtp_port)
            shown = wait_for(
                lambda: "no access token from 127.0.0.1" in (found := relay.run("status").stdout) and found,
                "the failure to be shown",
            )
            authorization.stop_answering(down=False)
            server.wait_for(1, seconds=30)
            pages = [relay.get(page) for page in ("/", "/metrics")]
            assert relay.stop() == 0

    assert "503 Service Unavailable" in shown
    assert [mail.user for mail in server.mails][:1] == [MAILBOX]
    assert len(authorization.granted) == 1
    tokens = relay.data / "oauth2"
    files = [file for file in relay.data.rglob("*") if file.is_file() and file.parent != tokens]
    texts = [*pages, shown, relay.log_file.read_text(), *(file.read_bytes().decode("latin-1") for file in files)]
    for secret in [SECRET, *authorization.issued]:
        assert not [text for text in texts if secret in text]
    assert {file.stat().st_mode & 0o777 for file in tokens.iterdir()} == {0o600}
