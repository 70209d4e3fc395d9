"""Hypothesis strategies for arbitrary digests, and settings with few examples: each digest takes long to render."""

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from relay.model import Digest, Entry, Form, Level, MessageKind, Reason, Report, Timeline
from tests.support.digests import TRACE, books

texts = st.text(st.characters(), max_size=40) | st.sampled_from(["=" * 3000, "é" * 2000, "line\n" * 900, TRACE * 3])
timestamps = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
counts = st.integers(0, 10**12)
rates = st.floats(0, 10**9)
reports = st.builds(
    Report, form=st.sampled_from(Form), subject=texts, sender=texts, app=texts, level=st.sampled_from(Level),
    logger=texts, location=texts, module=texts, function=texts, time=texts, message=texts, trace=texts,
    environment=texts, host=texts, release=texts, dropped=st.integers(0, 9), cut=st.booleans(),
)  # fmt: skip
timelines = st.builds(
    Timeline,
    since=timestamps,
    step=st.timedeltas(timedelta(seconds=1), timedelta(days=9)),
    counts=st.lists(counts).map(tuple),
)
entries = st.builds(
    Entry, group_id=st.integers(0, 10**9), reason=st.sampled_from(Reason), app=texts, title=texts,
    level=st.sampled_from(Level), mails=counts, occurrences=counts, since=timestamps, until=timestamps,
    rate=rates, rate_before=rates, first_seen=timestamps, last_seen=timestamps, seen_before=st.none() | timestamps,
    total_occurrences=counts, episode_occurrences=counts, episode_since=timestamps, peak=counts,
    timeline=st.none() | timelines, sample=st.none() | reports,
)  # fmt: skip
digests = st.builds(
    Digest,
    id=st.text("0123456789abcdef", min_size=32, max_size=32),
    kind=st.sampled_from([MessageKind.DIGEST, MessageKind.CATCH_UP]),
    route=texts,
    recipients=st.lists(st.emails() | texts, max_size=9).map(tuple),
    created_at=timestamps,
    entries=st.builds(lambda few, times: tuple(few * times), st.lists(entries, max_size=3), st.integers(1, 60)),
    books=st.builds(books, received=counts, pending=counts),
    notes=st.builds(lambda few, times: few * times, st.lists(texts, max_size=3), st.integers(1, 9)).map(tuple),
    thread=texts | st.just("<0123@example.com>"),
)
any_digest = settings(
    max_examples=20,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking such a digest takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
