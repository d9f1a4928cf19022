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

"""Every encoding is decoded as its definition says."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from encoding_reference import (
    BAYER,
    DEEP,
    FLOATS,
    GREY8,
    GREY16,
    PACKED,
    PAIRED,
    PLANAR,
    Pixels,
    demosaiced,
    paired,
    planar,
    scaled,
)
from fuzzing import counted, fuzz
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.encodings import ENCODINGS

WIDTHS, HEIGHTS = st.integers(1, 8), st.integers(1, 6)
PADDING, SEEDS = st.integers(0, 9), st.integers(0, 2**32 - 1)


def decoded(
    name: str, width: int, height: int, step: int, data: bytes, big: bool = False
) -> NDArray[np.uint8]:
    msg = Image(encoding=name, width=width, height=height, step=step, is_bigendian=big)
    msg.data = array('B', data)
    return ImageDecoder(10**6).decode(msg)


def noise(seed: int, *shape: int, low: int = 0, high: int = 255) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(low, high + 1, shape, np.uint8)


def padded(rows: NDArray[np.generic], padding: int) -> bytes:
    """Append bytes that must be ignored to each row."""
    raw = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
    return np.hstack([raw, np.full((len(rows), padding), 77, np.uint8)]).tobytes()


def test_every_encoding_has_a_reference() -> None:
    known = {*PACKED, *PAIRED, *PLANAR, *DEEP, *GREY8, *GREY16, *FLOATS}
    assert known | {name for name in ENCODINGS if BAYER.match(name)} == set(ENCODINGS)


@fuzz()
@given(st.sampled_from([*PACKED, *GREY8]), WIDTHS, HEIGHTS, PADDING, SEEDS)
@counted
def test_packed_samples_of_eight_bits_are_taken_as_they_are(
    name: str, width: int, height: int, padding: int, seed: int
) -> None:
    order = PACKED.get(name, 'y')
    samples = noise(seed, height, width, len(order))
    step = width * len(order) + padding
    found = decoded(name, width, height, step, padded(samples, padding))
    for channel, colour in enumerate('bgr'):
        place = order.index(colour) if colour in order else 0
        assert np.array_equal(found[..., channel], samples[..., place])


@fuzz()
@given(st.sampled_from([*PAIRED]), WIDTHS, HEIGHTS, PADDING, SEEDS)
@counted
def test_two_pixels_share_the_colour_of_packed_yuv(
    name: str, pairs: int, height: int, padding: int, seed: int
) -> None:
    # Of YUV only these values are defined; OpenCV cuts others off before it converts, and rounds
    # the coefficients of BT.601 to three digits.
    rows = noise(seed, height, 4 * pairs, low=16, high=235)
    found = decoded(name, 2 * pairs, height, 4 * pairs + padding, padded(rows, padding))
    assert np.abs(found - paired(PAIRED[name], rows)).max() <= 2.5


@fuzz()
@given(st.sampled_from([*PLANAR]), WIDTHS, HEIGHTS, st.integers(0, 4), SEEDS)
@counted
def test_colour_in_planes_lies_where_the_encoding_says(
    name: str, width: int, height: int, padding: int, seed: int
) -> None:
    letters, across, down = PLANAR[name]
    # Two pixels share their colour in all of these but one, and so do two rows in most.
    width, height, padding = 2 * width, 2 * height, 2 * padding
    luma = noise(seed, height, width, low=16, high=235)
    colour = [
        noise(seed + n, height // down, width // across * len(plane), low=16, high=235)
        for n, plane in enumerate(letters, 1)
    ]
    # The padding of a row of colour has the ratio to that of luma that the rows have.
    planes = [luma, *colour]
    data = b''.join(padded(p, padding * p.shape[1] // width) for p in planes)
    found = decoded(name, width, height, width + padding, data)
    assert np.abs(found - planar(name, luma, colour)).max() <= 2.5


def deep(name: str, samples: NDArray[np.uint16]) -> Pixels:
    """Return the BGR pixels of samples of 16 bits, (H, W, C)."""
    pixels, order = scaled(samples), DEEP.get(name, 'y')
    places = (order.index(c) if c in order else 0 for c in 'bgr')
    return np.stack([pixels[..., place] for place in places], axis=-1)


@fuzz()
@given(
    st.sampled_from([*DEEP, *GREY16]), WIDTHS, HEIGHTS, PADDING, SEEDS, st.booleans(),
    st.integers(1, 16),
)  # fmt: skip
@counted
def test_samples_of_sixteen_bits_are_scaled_between_their_percentiles(
    name: str, width: int, height: int, padding: int, seed: int, big: bool, bits: int
) -> None:
    channels = len(DEEP.get(name, 'y'))
    samples = np.random.default_rng(seed).integers(0, 2**bits, (height, width, channels), np.uint16)
    data = padded(samples.astype('>u2' if big else '<u2'), padding)
    found = decoded(name, width, height, 2 * width * channels + padding, data, big)
    assert np.abs(found - deep(name, samples)).max() <= 0.51


@fuzz()
@given(st.sampled_from([*FLOATS]), WIDTHS, HEIGHTS, PADDING, st.booleans(), st.data())
@counted
def test_floats_from_zero_to_one_become_bytes(
    name: str, width: int, height: int, padding: int, big: bool, data: st.DataObject
) -> None:
    dtype, channels = FLOATS[name]
    finite = st.floats(-2, 2, width=32)
    values = data.draw(st.lists(finite, min_size=width * height * channels, max_size=None))
    samples = np.array(values[: width * height * channels]).reshape(height, width, channels)
    raw = samples.astype(np.dtype(dtype).newbyteorder('>' if big else '<'))
    step = width * channels * raw.itemsize + padding
    found = decoded(name, width, height, step, padded(raw, padding), big)
    assert np.abs(found - 255 * np.clip(samples, 0, 1)).max() <= 0.51


@fuzz(0.5)
@given(
    st.sampled_from([name for name in ENCODINGS if BAYER.match(name)]), st.integers(4, 7),
    st.integers(4, 7), st.integers(0, 4), SEEDS,
)  # fmt: skip
@counted
def test_a_bayer_mosaic_gives_the_mean_of_the_nearest_samples(
    name: str, width: int, height: int, padding: int, seed: int
) -> None:
    match = BAYER.match(name)
    assert match is not None
    pattern, bits = match[1], int(match[2])
    kind: type[np.uint8 | np.uint16] = np.uint8 if bits == 8 else np.uint16
    samples = np.random.default_rng(seed).integers(0, 2**bits, (height, width), kind)
    pixels = samples.astype(float) if bits == 8 else np.floor(scaled(samples) + 0.5)
    step = width * samples.itemsize + padding
    found = decoded(name, width, height, step, padded(samples, padding))
    inside = (slice(1, -1), slice(1, -1))
    assert found[inside] == pytest.approx(demosaiced(pattern, pixels)[inside], abs=1.01)
