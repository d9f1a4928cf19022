"""What can go wrong in this room; every message names the cause and the remedy."""

from __future__ import annotations


class VisionError(Exception):
    """Base of all errors that `cfrnet_ros.vision` raises on purpose."""


class ModelError(VisionError):
    """A model file is missing, damaged, of the wrong kind, or gave unusable numbers."""


class ProviderError(VisionError):
    """An execution provider is unknown, absent, or could not run a model."""
