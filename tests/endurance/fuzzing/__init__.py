"""Harnesses: each takes any bytes and fails where one parser of the relay breaks a promise.

`tests/endurance/test_fuzz.py` feeds them what hypothesis makes up and the kept corpus (`tests/data/fuzz`), and
`tests/endurance/fuzz.py` (`make fuzz`) what atheris finds by the coverage it reaches.
"""
