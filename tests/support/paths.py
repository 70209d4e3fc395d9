"""The folders that tests read: the checkout, the data files of the tests, the test build of the relay."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
DOCS = ROOT / "docs"
FAILING = ROOT / "tests" / "support" / "failing"
"""`sitecustomize.py`, which arms the failpoints, and `faults.c`, which makes calls on files fail."""
