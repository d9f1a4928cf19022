"""Error of files that cannot be read or written."""

from __future__ import annotations


class MediaError(Exception):
    """A picture, video or webcam cannot be read or written; the text names the cause."""
