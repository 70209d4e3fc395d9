"""Output of `set -x`, and the calls that Bash's `caller` prints."""

import pytest

from relay.traces import find
from tests.support.printed_traces import outline, read

EXECUTED = """+ set -u
+ cd /srv/shop
++ date +%F
+ cp /srv/a5 /backup
cp: cannot stat '/srv/a5': No such file or directory
/srv/jobs/nightly.sh: line 8: backup-all: command not found
+ exit 1
"""


def test_last_error_below_the_commands_is_the_error():
    trace = read(EXECUTED)

    assert [frame.place for frame in trace.errors[0].frames] == ["? (nightly.sh)"]
    assert trace.errors[0].message == "backup-all: command not found"
    assert EXECUTED[trace.start : trace.end].endswith("command not found")


@pytest.mark.parametrize("error", ["nightly.sh: 8: backup-all: not found", "nightly.sh: Zeile 8: backup-all: nein"])
def test_error_of_other_shells_and_languages_is_parsed(error):
    text = EXECUTED.replace("/srv/jobs/nightly.sh: line 8: backup-all: command not found", error)

    assert [frame.file for frame in read(text).errors[0].frames] == ["nightly.sh"]


def test_calls_of_caller_are_the_frames():
    text = 'command "false" failed\n4 inner /srv/jobs/nightly.sh\n5 outer /srv/jobs/nightly.sh\n6 main nightly.sh\n'

    assert outline(text) == [("", ["main", "outer", "inner"])]
    assert read(text).errors[0].message == 'command "false" failed'


@pytest.mark.parametrize(
    "text",
    [
        "/srv/jobs/nightly.sh: line 8: backup-all: command not found\n",
        "a\n/srv/jobs/nightly.sh: line 8: backup-all: command not found\n",
        "--- a.sh\n+++ b.sh\n@@ -1 +1 @@\n-old\n+ new\n+ newer\n",
        "To do\n+ milk\n+ bread\nAda: line 3 is hers\n",
        "+ one\nnightly.sh: line 3: no\n",
        "Files\n5 old a.sh\n",
    ],
)
def test_message_with_a_place_patches_and_lists_are_no_traces(text):
    assert find(text) is None
