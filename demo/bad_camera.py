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

"""Simulates the pictures of a cheap camera in a car under several conditions.

Noise is added to linear light, as in a sensor; blur is applied before it and JPEG after it, as in
a camera. Every random number comes from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]


def to_linear(picture: Picture) -> Floats:
    """Convert 8-bit sRGB to linear light, 0..1 (IEC 61966-2-1, by a table)."""
    levels = np.arange(256) / 255.0
    table = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return np.asarray(table.astype(np.float32)[picture], np.float32)


def to_srgb(light: Floats) -> Picture:
    """Convert linear light to 8-bit sRGB, clipped at 0 and 1."""
    light = np.clip(light, 0.0, 1.0)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (curve * 255.0 + 0.5).astype(np.uint8)


def expose(light: Floats, electrons: float, read_noise: float, rng: np.random.Generator) -> Floats:
    """Add photon and read noise.

    Args:
        light: Linear light, 0..1.
        electrons: Number of electrons that a white pixel collects; fewer mean more photon noise.
        read_noise: Standard deviation of the read noise, in electrons.
        rng: Source of the noise.

    Returns:
        Linear light, 0..1 and slightly outside.

    """
    # A Poisson number of this size is nearly normal, and a normal one is drawn much faster.
    signal = light * electrons
    spread = np.sqrt(np.maximum(signal, 0.0) + read_noise**2)
    noise = rng.standard_normal(light.shape, np.float32)
    return np.asarray((signal + spread * noise) / electrons, np.float32)


def soften(light: Floats, sigma: float) -> Floats:
    """Blur like a lens that is out of focus (Gaussian, sigma in pixels)."""
    return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)


def smear(light: Floats, length: int, angle_deg: float) -> Floats:
    """Blur like movement during the exposure.

    Args:
        light: Linear light.
        length: Length of the movement in pixels, odd.
        angle_deg: Direction of the movement in degrees.

    """
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1.0
    centre = (length - 1) / 2.0
    turn = cv2.getRotationMatrix2D((centre, centre), angle_deg, 1.0)
    turned = cv2.warpAffine(kernel, turn, (length, length), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.filter2D(light, -1, turned / turned.sum()), np.float32)


def coarsen(light: Floats, factor: float) -> Floats:
    """Reduce the resolution, like binning on the sensor followed by upscaling."""
    height, width = light.shape[:2]
    small = (round(width / factor), round(height / factor))
    reduced = cv2.resize(light, small, interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR), np.float32
    )


def jpeg(picture: Picture, quality: int) -> Picture:
    """Compress as JPEG and decompress (quality 1..100)."""
    _, data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)


def daylight_noise(picture: Picture, time_s: float, rng: np.random.Generator) -> Picture:
    """Simulate enough light and a small noisy sensor."""
    light = coarsen(soften(to_linear(picture), 0.7), 1.5)
    return jpeg(to_srgb(expose(light, 130.0, 4.0, rng)), 60)


def low_light(picture: Picture, time_s: float, rng: np.random.Generator) -> Picture:
    """Simulate night: little light, amplified together with its noise, with washed-out colours."""
    light = coarsen(soften(to_linear(picture), 0.8), 1.5)
    grey = light.mean(axis=2, keepdims=True)
    light = 0.3 * (0.55 * light + 0.45 * grey) * np.array([1.1, 1.0, 0.9])
    return jpeg(to_srgb(expose(light.astype(np.float32), 130.0, 3.5, rng)), 60)


def infrared_light(picture: Picture) -> Floats:
    """Estimate the near infrared of a picture: on skin, silicon responds to it like to red."""
    return np.asarray(to_linear(picture) @ np.array([0.05, 0.2, 0.75]), np.float32)


def infrared(picture: Picture, time_s: float, rng: np.random.Generator) -> Picture:
    """Simulate near infrared, lit by a lamp beside the lens; one grey channel."""
    light = infrared_light(picture)
    height, width = light.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    lamp = np.exp(-(((x - 0.5 * width) / width) ** 2 + ((y - 0.4 * height) / height) ** 2) * 4.0)
    light = coarsen(soften((0.8 * light * lamp + 0.01).astype(np.float32), 1.2), 1.6)
    return jpeg(to_srgb(expose(light, 160.0, 4.0, rng)), 55)


def motion_blur(picture: Picture, time_s: float, rng: np.random.Generator) -> Picture:
    """Simulate a bumpy road and a long exposure."""
    length = 7 + 2 * round(2 * abs(np.sin(5.0 * time_s)))
    light = smear(to_linear(picture), length, 40.0 * np.sin(3.0 * time_s) + 20.0)
    return jpeg(to_srgb(expose(light, 900.0, 6.0, rng)), 70)


def compression(picture: Picture, time_s: float, rng: np.random.Generator) -> Picture:
    """Simulate a slow link: half the resolution and strong compression."""
    light = coarsen(to_linear(picture), 2.2)
    return jpeg(to_srgb(expose(light, 900.0, 6.0, rng)), 17)


def glare(picture: Picture, time_s: float, rng: np.random.Generator) -> Picture:
    """Simulate low sun into the lens: a veil over the picture, which has little contrast left."""
    light = to_linear(picture)
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    sun_x, sun_y = width * (0.86 - 0.05 * time_s), 0.08 * height
    distance = np.sqrt((x - sun_x) ** 2 + (y - sun_y) ** 2) / height
    veil = 0.75 * np.exp(-((distance / 0.22) ** 2)) + 0.30 * np.exp(-distance / 0.55)
    tint = np.array([0.8, 0.95, 1.0])
    light = soften(0.55 * light + veil[..., None] * tint, 1.2)
    return jpeg(to_srgb(expose(light.astype(np.float32), 260.0, 6.0, rng)), 60)


def perfect(picture: Picture) -> Picture:
    """Return the picture that a perfect camera would have delivered."""
    return picture


def perfect_infrared(picture: Picture) -> Picture:
    """Return the picture of a perfect infrared camera: (H, W, 3), but grey."""
    return np.asarray(cv2.cvtColor(to_srgb(infrared_light(picture)), cv2.COLOR_GRAY2BGR), np.uint8)


Condition = Callable[[Picture, float, np.random.Generator], Picture]

Truth = Callable[[Picture], Picture]

#: Conditions: a name for people; a function from a (H, W, 3) BGR picture and `time_s`, the time
#: since the condition's start, to a (H, W, 3) BGR or (H, W) grey picture; and a function that
#: returns the best result that a restorer could reach.
CONDITIONS: tuple[tuple[str, Condition, Truth], ...] = (
    ('Sensor noise', daylight_noise, perfect),
    ('Low light', low_light, perfect),
    ('Infrared', infrared, perfect_infrared),
    ('Motion blur', motion_blur, perfect),
    ('Compression', compression, perfect),
    ('Glare', glare, perfect),
)
