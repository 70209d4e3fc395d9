"""Tests of the pages in docs/: each snippet does what its page says."""
