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

"""Reads pictures of any depth into BGR bytes, and writes them back in their own form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.whole_file import whole_file

#: Formats of pictures by the suffixes of their files.
FORMATS = {
    '.bmp': 'BMP',
    '.jpe': 'JPEG',
    '.jpeg': 'JPEG',
    '.jpg': 'JPEG',
    '.pgm': 'PPM',
    '.png': 'PNG',
    '.ppm': 'PPM',
    '.tif': 'TIFF',
    '.tiff': 'TIFF',
    '.webp': 'WEBP',
}
_WITH_ALPHA = ('PNG', 'TIFF', 'WEBP')
_WITH_16_BITS = ('PNG', 'TIFF')
_WITH_METADATA = ('JPEG', 'PNG', 'TIFF', 'WEBP')

#: EXIF tag of the orientation.
_ORIENTATION = 0x0112
#: EXIF tags that are kept: description, make, model, resolution, software, date, artist, copyright,
#: and the tables of the exposure and of the place. The rest describes how the old file was packed.
_KEPT = (
    0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298, 0x8769, 0x8825,
)  # fmt: skip

#: Options of the encoders: little is lost in JPEG and WebP, and colour keeps its resolution.
_OPTIONS: dict[str, dict[str, Any]] = {
    'JPEG': {'quality': 95, 'subsampling': 0},
    'TIFF': {'compression': 'tiff_deflate'},
    'WEBP': {'quality': 95},
}


@dataclass(frozen=True)
class Picture:
    """A picture, upright, with what is needed to write it in its own form.

    Attributes:
        bgr: (H, W, 3) uint8 BGR picture.
        samples: (H, W) grey or (H, W, 3) BGR picture of the file's depth, uint8 or uint16.
        white: Value of white in `samples`: 255, or the largest value of as many bits as the
            samples of a 16-bit file use.
        alpha: (H, W) opacity with the type of `samples`; None for an opaque picture.
        metadata: EXIF data without an orientation, and the colour profile, as Pillow takes them.
        notes: Sentences on what was lost in reading.

    """

    bgr: NDArray[np.uint8]
    samples: NDArray[Any]
    white: int
    alpha: NDArray[Any] | None
    metadata: dict[str, Any]
    notes: tuple[str, ...] = ()

    def changed(self, bgr: NDArray[np.uint8]) -> Picture:
        """Return the picture after a change of its BGR bytes.

        Samples of 16 bits are changed by the difference of the bytes, so the rest of the picture
        keeps its depth.

        Args:
            bgr: (H, W, 3) uint8 BGR picture.

        """
        if self.samples.dtype == np.uint8:
            samples: NDArray[Any] = bgr
            if self.samples.ndim == 2:
                samples = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))
        else:
            change = bgr.astype(np.float32) - self.bgr.astype(np.float32)
            if self.samples.ndim == 2:
                change = change.mean(axis=2)
            scaled = np.rint(self.samples.astype(np.float32) + change * (self.white / 255.0))
            samples = np.clip(scaled, 0, self.white).astype(self.samples.dtype)
            # Rounding must not move what was not changed.
            samples = np.where(change == 0, self.samples, samples)
        return replace(self, bgr=bgr, samples=samples)


def read_picture(path: Path) -> Picture:
    """Read a picture and turn it upright by its EXIF orientation.

    Args:
        path: Path of a file in one of `FORMATS`.

    Returns:
        Picture. Palettes, CMYK and other colour models become BGR.

    Raises:
        MediaError: The file does not exist, is damaged, or has samples of more than 16 bits.

    """
    try:
        with Image.open(path) as image:
            # Before anything decodes the picture, which makes Pillow forget the depth.
            deep = _is_deep(image)
            exif = image.getexif()
            metadata = {'icc_profile': image.info.get('icc_profile')}
            notes = []
            if getattr(image, 'n_frames', 1) > 1:
                notes.append('only the first of several pictures in the file is used')
            if image.mode == 'CMYK':
                metadata, notes = {}, [*notes, 'CMYK became RGB']
            if deep:
                samples, alpha = _deep_samples(path, exif.get(_ORIENTATION, 1))
            else:
                samples, alpha = _samples(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(_reason(error)) from error
    for tag in set(exif) - set(_KEPT):
        del exif[tag]
    if exif:
        metadata['exif'] = exif.tobytes()
    white = 255
    if samples.dtype == np.uint16:
        # Infrared cameras use 10 to 14 of 16 bits, which would all look black.
        used = int(samples.max()).bit_length()
        white = 2 ** min(16, max(8, used + used % 2)) - 1
        if white < 65535:
            notes.append(f'its 16-bit samples use {used} bits, so {white} counts as white')
    small = samples
    if samples.dtype == np.uint16:
        small = np.rint(samples * np.float32(255.0 / white))
    small = small.astype(np.uint8)
    bgr = np.dstack([small] * 3) if small.ndim == 2 else small
    return Picture(np.ascontiguousarray(bgr), samples, white, alpha, metadata, tuple(notes))


def write_picture(path: Path, picture: Picture) -> list[str]:
    """Write a picture, in the format that the suffix names.

    Args:
        path: Path of the file, with a suffix of `FORMATS`.
        picture: Picture.

    Returns:
        Sentences on what the format cannot hold and was left out.

    Raises:
        MediaError: The file cannot be written.

    """
    form = FORMATS[path.suffix.lower()]
    samples, alpha, notes = picture.samples, picture.alpha, []
    if alpha is not None and form not in _WITH_ALPHA:
        alpha = None
        notes.append(f'transparency was dropped, since {form} has none')
    if samples.dtype == np.uint16 and form not in _WITH_16_BITS:
        samples = picture.bgr
        alpha = None if alpha is None else (alpha >> 8).astype(np.uint8)
        notes.append(f'16 bits became 8, since {form} has no more')
    try:
        if samples.dtype == np.uint16:
            if picture.metadata.get('icc_profile') or picture.metadata.get('exif'):
                notes.append('EXIF data and colour profile were dropped from a 16-bit picture')
            data = _encode_deep(samples, alpha, path.suffix.lower())
        else:
            data = _encode(samples, alpha, form, picture.metadata)
        with whole_file(path) as part:
            part.write_bytes(data)
    except (OSError, ValueError, cv2.error) as error:
        raise MediaError(f"cannot write '{path}': {_reason(error)}") from error
    return notes


def _is_deep(image: Image.Image) -> bool:
    """Return whether a file has samples of 16 bits, of which Pillow keeps 8 in colour pictures."""
    if image.mode in ('I', 'F'):
        raise ValueError('its samples have 32 bits; convert it to a picture of 8 or 16 bits')
    return image.mode.startswith('I;16') or any(';16' in str(t[3]) for t in _tiles(image))


def _tiles(image: Image.Image) -> list[Any]:
    return [tile for tile in getattr(image, 'tile', []) if len(tile) > 3]


def _samples(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return grey or BGR samples of a picture with 8 bits, and its opacity."""
    image = ImageOps.exif_transpose(image)
    transparent = image.has_transparency_data
    if image.mode in ('1', 'L') and not transparent:
        return np.asarray(image.convert('L')), None
    if image.mode == 'LA':
        grey, alpha = (np.asarray(band) for band in image.split())
        return grey, alpha
    if transparent:
        rgba = np.asarray(image.convert('RGBA'))
        return np.ascontiguousarray(rgba[..., 2::-1]), np.ascontiguousarray(rgba[..., 3])
    return np.ascontiguousarray(np.asarray(image.convert('RGB'))[..., ::-1]), None


def _deep_samples(path: Path, orientation: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return grey or BGR samples of a picture with 16 bits, and its opacity."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    try:
        read = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f'OpenCV cannot read it: {error}') from error
    if read is None or read.dtype not in (np.uint8, np.uint16):
        raise ValueError('OpenCV cannot read it')
    whole = _upright(np.asarray(read), orientation)
    if whole.ndim == 3 and whole.shape[2] == 4:
        return np.ascontiguousarray(whole[..., :3]), np.ascontiguousarray(whole[..., 3])
    return whole, None


def _upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn samples by an EXIF orientation, 1..8 (TIFF 6.0, tag Orientation)."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return np.ascontiguousarray(samples)


def _encode(
    samples: NDArray[Any], alpha: NDArray[Any] | None, form: str, metadata: dict[str, Any]
) -> bytes:
    rgb = samples if samples.ndim == 2 else samples[..., ::-1]
    if alpha is not None:
        rgb = np.dstack([rgb, alpha])
    kept = {k: v for k, v in metadata.items() if v and form in _WITH_METADATA}
    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(buffer, form, **_OPTIONS.get(form, {}), **kept)
    return buffer.getvalue()


def _encode_deep(samples: NDArray[Any], alpha: NDArray[Any] | None, suffix: str) -> bytes:
    if alpha is not None:
        colour = np.dstack([samples] * 3) if samples.ndim == 2 else samples
        samples = np.dstack([colour, alpha])
    done, data = cv2.imencode(suffix, samples)
    if not done:
        raise ValueError('OpenCV has no encoder for it')
    return data.tobytes()


def _reason(error: Exception) -> str:
    """Return the reason of a library's error, without the path, which the caller names."""
    if isinstance(error, Image.UnidentifiedImageError):
        return 'not a picture, or damaged'
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
