"""What is measured of each row: its quality, its cost, and what an NPU compiler makes of it."""

from __future__ import annotations
