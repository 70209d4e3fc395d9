"""The metrics of a running relay: what the receiver measured reaches the page of the worker."""

from urllib.error import HTTPError

import pytest

from tests.support.processes import Relay, send_mail, wait_for


@pytest.mark.e2e
def test_time_to_250_and_time_to_ingest_of_each_mail_reach_the_page(tmp_path):
    with Relay(tmp_path) as relay:
        for _ in range(3):
            send_mail(relay.smtp_port)

        counts = [f"relay_{name}_seconds_count 3.0" for name in ("receiver_reply", "ingest")]

        def complete() -> str:
            try:
                text = relay.get("/metrics")
            except HTTPError as starting:
                starting.close()
                return ""
            return text if all(count in text for count in counts) else ""

        page = wait_for(complete, "the times of all mails")

    assert "relay_receiver_mails_total 3.0" in page
