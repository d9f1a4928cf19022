"""What each system minimises, phase by phase, as its paper has it; `registry` has them by name."""

from __future__ import annotations
