"""Measurements of speed, size and growth: each module here is one benchmark, `harness` is what they share."""
