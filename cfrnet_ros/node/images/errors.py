"""Why a message cannot become an image."""

from __future__ import annotations

#: Causes by which diagnostics count rejected frames.
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
    """A message that cannot become an image.

    Attributes:
        cause: Name of the cause, one of `CAUSES`.

    """

    def __init__(self, cause: str, text: str) -> None:
        """Keep the cause apart from the text that is logged."""
        super().__init__(text)
        self.cause = cause


def check_size(width: int, height: int, max_px: int) -> None:
    """Refuse an image without pixels, and one with too many.

    Args:
        width: Width that the message declares, in pixels.
        height: Height that the message declares, in pixels.
        max_px: Largest number of pixels that is accepted, the parameter `max_image_px`.

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
