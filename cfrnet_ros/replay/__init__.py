"""Replay: a bag's images through the real node over DDS, into a bag and a report."""
