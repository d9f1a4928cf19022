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

"""What images of each encoding show, by the encodings' definitions and without OpenCV."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float64]

#: Samples of a pixel of 8 bits, by encoding.
PACKED = {'bgr8': 'bgr', 'rgb8': 'rgb', 'bgra8': 'bgra', 'rgba8': 'rgba'}
PACKED |= {'8UC3': 'bgr', '8UC4': 'bgra'}
#: Bytes of two neighbouring pixels, by encoding.
PAIRED = {'uyvy': 'uyvy', 'yuv422': 'uyvy', 'uyvy422': 'uyvy', 'yvyu': 'yvyu'}
PAIRED |= dict.fromkeys(('yuyv', 'yuv422_yuy2', 'yuy2', 'yuyv422'), 'yuyv')
#: Planes behind that of luma: their letters, pixels across and pixels down for each sample.
PLANAR = {
    'nv12': (('uv',), 2, 2),
    'nv21': (('vu',), 2, 2),
    'nv16': (('uv',), 2, 1),
    'nv24': (('uv',), 1, 1),
    'yv12': (('v', 'u'), 2, 2),
    **dict.fromkeys(('i420', 'yu12', 'yuv420', 'yuv420p'), (('u', 'v'), 2, 2)),
}
#: Samples of a pixel of 16 bits, by encoding; grey unless named here.
DEEP = {'bgr16': 'bgr', 'rgb16': 'rgb', 'bgra16': 'bgra', 'rgba16': 'rgba'}
GREY8 = ('mono8', '8UC1', 'grey', 'y8')
GREY16 = ('mono16', '16UC1', *(f'{n}{b}' for n in ('mono', 'y') for b in (10, 12, 14)), 'y16')
FLOATS = {'32FC1': ('f4', 1), '32FC3': ('f4', 3), '64FC1': ('f8', 1)}
BAYER = re.compile(r'^bayer_([rgb]{4})(\d+)$')


def bt601(y: Pixels, u: Pixels, v: Pixels) -> Pixels:
    """Convert Y of 16..235 and U, V of 16..240 to BGR, by ITU-R BT.601."""
    luma, cb, cr = 255 / 219 * (y - 16), (u - 128) * 255 / 224, (v - 128) * 255 / 224
    blue, red = luma + 1.772 * cb, luma + 1.402 * cr
    green = luma - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587
    return np.clip(np.stack([blue, green, red], axis=-1), 0, 255)


def paired(order: str, rows: NDArray[np.uint8]) -> Pixels:
    """Return the BGR pixels of (H, 2 W) bytes in which two pixels share their colour."""
    groups = rows.reshape(len(rows), -1, 4).astype(float)
    first, second = (i for i, letter in enumerate(order) if letter == 'y')
    y = np.stack([groups[..., first], groups[..., second]], axis=-1).reshape(len(rows), -1)
    u, v = (np.repeat(groups[..., order.index(c)], 2, axis=1) for c in 'uv')
    return bt601(y, u, v)


def planar(encoding: str, luma: NDArray[np.uint8], colour: list[NDArray[np.uint8]]) -> Pixels:
    """Return the BGR pixels of a plane of luma and the planes of colour behind it."""
    planes, across, down = PLANAR[encoding]
    found = {}
    for letters, plane in zip(planes, colour):
        for place, letter in enumerate(letters):
            samples = plane[:, place :: len(letters)].astype(float)
            found[letter] = np.repeat(np.repeat(samples, across, axis=1), down, axis=0)
    return bt601(luma.astype(float), found['u'], found['v'])


def scaled(samples: NDArray[np.uint16]) -> Pixels:
    """Map 16 bits to 0..255: the 1st percentile to 0, the 99.8th or 64 counts above it to 255."""
    low, high = np.percentile(samples, (1.0, 99.8))
    return np.clip((samples - low) * 255.0 / max(high - low, 64.0), 0, 255)


def demosaiced(pattern: str, samples: Pixels) -> Pixels:
    """Return the BGR pixels of a Bayer mosaic by the mean of the nearest samples of each colour.

    Args:
        pattern: Colours of the first two pixels of the first two rows, such as 'rggb'.
        samples: (H, W) samples.

    Returns:
        (H, W, 3) pixels; those at the border are wrong.

    """
    height, width = samples.shape
    cell = np.array(list(pattern)).reshape(2, 2)
    colours = np.tile(cell, (height // 2 + 1, width // 2 + 1))[:height, :width]
    result = np.zeros((height, width, 3))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            around = samples[y - 1 : y + 2, x - 1 : x + 2]
            near = colours[y - 1 : y + 2, x - 1 : x + 2]
            for channel, colour in enumerate('bgr'):
                if colours[y, x] == colour:
                    result[y, x, channel] = samples[y, x]
                    continue
                # Green lies above, below and beside; so does a colour that has only two neighbours.
                cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
                places = (near == colour) & (cross if (near[cross] == colour).any() else ~cross)
                result[y, x, channel] = around[places].mean()
    return result
