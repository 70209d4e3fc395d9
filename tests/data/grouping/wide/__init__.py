"""Programs and alerts that `make_wide.py` runs and fills in."""
