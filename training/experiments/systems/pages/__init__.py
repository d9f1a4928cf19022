"""Pages and plots of the comparison of systems, made of the committed JSON files alone."""

from __future__ import annotations
