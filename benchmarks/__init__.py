"""Benchmarks that produce the speed figures of README.md and docs/."""
