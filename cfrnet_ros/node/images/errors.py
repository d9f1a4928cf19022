# Copyright 2026 The cfrnet_ros authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Errors of messages that cannot be decoded, and their causes."""

from __future__ import annotations

#: Names of the causes by which the diagnostics count rejected frames.
EMPTY = 'empty'
TRUNCATED = 'truncated'
BAD_LAYOUT = 'bad_layout'
TOO_LARGE = 'too_large'
UNKNOWN_ENCODING = 'unknown_encoding'
CORRUPT = 'corrupt'
NOT_FINITE = 'not_finite'
INTERNAL = 'internal'
CAUSES: tuple[str, ...] = (
    EMPTY,
    TRUNCATED,
    BAD_LAYOUT,
    TOO_LARGE,
    UNKNOWN_ENCODING,
    CORRUPT,
    NOT_FINITE,
    INTERNAL,
)


class ImageError(Exception):
    """A message cannot be decoded to an image.

    Attributes:
        cause: Name of the cause, one of `CAUSES`.

    """

    def __init__(self, cause: str, text: str) -> None:
        """Create the error.

        Args:
            cause: Name of the cause, one of `CAUSES`.
            text: Description for the log.

        """
        super().__init__(text)
        self.cause = cause


def check_size(width: int, height: int, max_px: int) -> None:
    """Check the number of pixels of an image.

    Args:
        width: Width that the message declares, in pixels.
        height: Height that the message declares, in pixels.
        max_px: Largest number of pixels that is accepted; the parameter `max_image_px`.

    Raises:
        ImageError: The image is empty or too large.

    """
    if width <= 0 or height <= 0:
        raise ImageError(EMPTY, f'the image has no pixels: its size is {width} x {height}')
    if width * height > max_px:
        raise ImageError(
            TOO_LARGE,
            f'the image has {width} x {height} = {width * height} pixels, more than max_image_px ='
            f' {max_px}; raise that parameter if the camera really sends images of this size',
        )
