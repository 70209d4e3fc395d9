"""Fuzzing harnesses: each accepts any bytes and fails if one parser of the relay breaks a guarantee.

`tests/endurance/test_fuzz.py` runs them with inputs from hypothesis and with the stored corpus (`tests/data/fuzz`).
`tests/endurance/fuzz.py` (`make fuzz`) runs them with atheris, guided by coverage.
"""
