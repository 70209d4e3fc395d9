"""What several benchmarks share: figures and their targets, a relay to measure, loads, servers to compare with."""
