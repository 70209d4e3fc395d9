"""Programs that `make_further.py` runs, and templates that it fills."""
