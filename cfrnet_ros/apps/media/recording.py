"""Writes frames to a video as they come."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.encoder import Encoder, create
from cfrnet_ros.apps.media.whole_file import whole_file

_TIME_BASE = Fraction(1, 1000)


class Recording(AbstractContextManager['Recording']):
    """Video of a live source; to be used in a `with` statement, at whose end the file is whole."""

    def __init__(self, path: Path, hz: float) -> None:
        """Prepare the video.

        Args:
            path: Path of the file, which ends in .mp4.
            hz: Usual number of frames per second, above 0.

        """
        self._path, self._rate = path, Fraction(hz)
        self._stack = ExitStack()
        self._container: Any = None
        self._encoder: Encoder | None = None

    def __enter__(self) -> Recording:
        """Create the file under its temporary name."""
        self._container = create(self._stack.enter_context(whole_file(self._path)))
        self._stack.callback(self._container.close)
        return self

    def __exit__(self, *exc: Any) -> bool | None:
        """Finish the file, or remove it if an error ended the block."""
        if exc[0] is None and self._encoder is not None:
            self._encoder.finish()
        return self._stack.__exit__(*exc)

    def write(self, bgr: NDArray[np.uint8], time_s: float) -> None:
        """Append a frame.

        Args:
            bgr: (H, W, 3) uint8 BGR frame, of the size of the first one.
            time_s: Time of the frame in seconds.

        """
        if self._encoder is None:
            height, width = bgr.shape[:2]
            self._encoder = Encoder(self._container, width, height, self._rate, _TIME_BASE)
        self._encoder.write(bgr, round(time_s / _TIME_BASE))
