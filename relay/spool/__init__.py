"""The spool: a log on the local disk of mails that got 250 and are not ingested yet.

The receiver writes it, the worker reads it.

    disk          complete writes and durable syncs
    segment       the files: names, headers, positions, the sync mark
    record        one mail as bytes
    scan          finds the records of a segment, also in a torn or damaged one
    segments      the segments as seen by their only writer (blocking)
    writer        group commit: many mails, one sync (receiver)
    reader        reads records in order, removes finished segments (worker)
    poison_guard  which mails the worker was processing when it died
    quarantine    the files of parked mails

A spool is a folder of segments (`0000000001.segment`, …). Each is a header, then records without gaps, then perhaps
zeros that later records overwrite. A *position* names a byte of the spool: the segment's number times 2³² plus the
offset in that file. Numbers only grow and the newest segment is never removed, so a position is never reused, whatever
was read, removed, torn or lost.

Guarantee: a mail for which `SpoolWriter.append` returned is on the disk. A reader that continues from where it stopped
reads it exactly once and in order. A write that the machine interrupted leaves the record whole or absent, and never
hides an earlier record.
"""

from relay.spool.poison_guard import PoisonGuard
from relay.spool.quarantine import Quarantine
from relay.spool.reader import SpoolReader
from relay.spool.segment import RESERVES
from relay.spool.writer import SpoolWriter

__all__ = ["RESERVES", "PoisonGuard", "Quarantine", "SpoolReader", "SpoolWriter"]
