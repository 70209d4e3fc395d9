"""Programs and mails that `make_further.py` runs and fills in."""
