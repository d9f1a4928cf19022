"""Errors of `cfrnet_ros.vision`; every message names the cause and the remedy."""

from __future__ import annotations


class VisionError(Exception):
    """Base of all errors that `cfrnet_ros.vision` raises on purpose."""


class ModelError(VisionError):
    """A model file is missing, damaged or of the wrong kind, or its output is not usable."""


class ProviderError(VisionError):
    """An execution provider is unknown or not available, or it could not run a model."""


def reason_of(error: BaseException, limit: int = 300) -> str:
    """Return the reason of a library's error: the end of the first line of its text.

    ONNX Runtime puts the names of files and C++ functions before the reason.

    Args:
        error: Error of another library.
        limit: Largest number of characters, 2 or more.

    """
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text if len(text) <= limit else f'…{text[1 - limit :]}'
