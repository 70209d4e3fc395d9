"""The mails that got 250 and are not sorted yet, on the local disk: where receiver and worker meet.

    disk       writes and syncs that mean it
    segment    the files: names, headers, positions, the mark
    record     one mail as bytes
    scan       the records of a segment, also where it is torn or damaged
    log        the segments as their only writer sees them (blocking)
    writer     many appends, one sync: for the receiver
    reader     records in order, segments let go of: for the worker
    claims     which mail the worker was at when it died
    parking    mails that were put aside

A spool is a folder of segments (`0000000001.segment`, …), each a header and then records,
one after another, and behind them perhaps zeros, which later records go into. A *position*
names a byte of it: the segment's number times 2³² plus the offset in that file. Numbers only
grow and the newest segment is never removed, so a position never comes again, whatever was
read, removed, torn or lost.

Guarantee: what `SpoolWriter.append` has returned for is on the disk and will be read,
exactly once and in order, by whoever reads on from where it stopped. What was being written
when the machine stopped is either whole or not there; it never hides what stands before it.
"""

from relay.spool.poison_guard import PoisonGuard
from relay.spool.quarantine import Quarantine
from relay.spool.reader import SpoolReader
from relay.spool.segment import RESERVES
from relay.spool.writer import SpoolWriter

__all__ = ["RESERVES", "PoisonGuard", "Quarantine", "SpoolReader", "SpoolWriter"]
