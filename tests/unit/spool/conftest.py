"""Every test here has a spool with a small reserve, and does not wait for the disk."""

from __future__ import annotations

import os

import pytest

from relay.spool import segments


@pytest.fixture(autouse=True)
def light(monkeypatch):
    """A small reserve, and no waiting for the disk: the integration tests do that."""
    monkeypatch.setattr(segments, "RESERVE_SIZE", 4096)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def busy(monkeypatch):
    """Segments have zeros ahead of the records, as those into which much comes."""
    monkeypatch.setattr(segments, "ZEROS_AFTER", 100)
    monkeypatch.setattr(segments, "ZEROS_AHEAD", 9000)
