"""Every test here has a spool with a small reserve and does not wait for the disk."""

from __future__ import annotations

import os

import pytest

from relay.spool import segments


@pytest.fixture(autouse=True)
def lightweight_spool(monkeypatch):
    """A small reserve and no syncs: the integration tests have real ones."""
    monkeypatch.setattr(segments, "RESERVE_SIZE", 4096)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def busy(monkeypatch):
    """Write zeros ahead of the records, as in a segment under load."""
    monkeypatch.setattr(segments, "ZEROS_AFTER", 100)
    monkeypatch.setattr(segments, "ZEROS_AHEAD", 9000)
