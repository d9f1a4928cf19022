"""Errors of `cfrnet_ros.vision`; every message names the cause and the remedy."""

from __future__ import annotations


class VisionError(Exception):
    """Base of all errors that `cfrnet_ros.vision` raises on purpose."""


class ModelError(VisionError):
    """A model file is missing, damaged or of the wrong kind, or its output is not usable."""


class ProviderError(VisionError):
    """An execution provider is unknown or not available, or it could not run a model."""
