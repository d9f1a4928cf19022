"""Speed of the real node: `python -m benchmarks.performance`, or `make bench`."""
