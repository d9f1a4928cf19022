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

"""Averages the crops of a face over time where nothing moved, before they are restored.

What several frames have measured is detail; what a network adds to one frame is invention. The mean
of a track's crops is carried from frame to frame: registered to the newest crop by optical flow,
and updated in each place by the gain of a Kalman filter. Where the newest crop differs from the
mean by more than the camera's noise explains, something moved, and the newest crop is passed
through.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.restoration.crop_planes import CropPlanes, enlarged, half
from cfrnet_ros.vision.restoration.local_motion import LocalMotion
from cfrnet_ros.vision.restoration.registration import Registration
from cfrnet_ros.vision.types import FusedCrop

Floats = NDArray[np.float32]

#: Longest time in seconds between two frames that are averaged.
MAX_GAP_S = 0.5

#: Cells across the crop in which a change of light is measured; it is always adopted at once.
LIGHT_CELLS = 32

#: Ratio of the difference to the noise from which a place counts as moving, and the increase of the
#: mean's variance with the ratio, in variances of one frame. Chosen on the scenes of
#: `benchmarks.fusion`: with lower values less noise goes, with higher ones lids begin to lag.
MOVING_FROM, MOVING_GROWTH = 3.0, 3.0

#: Gain above which a place counts as moving, and share of moving places above which the past is
#: forgotten.
MOVING_GAIN, MAX_MOVING = 0.6, 0.7

#: Difference of the logarithms of the mean brightness above which two frames belong to different
#: exposures, as those of a strobed infrared lamp do, and number of exposures that are remembered.
EXPOSURE_STEP, EXPOSURES = 0.25, 2

#: Noise of one frame, in grey values, below which nothing is fused (`LocalMotion.noise_level`).
#: A clean webcam shows 0.3, JPEG of quality 50 with little other noise 0.7.
NO_NOISE = 0.45

#: Frames after which a camera without noise is examined again, and frames of an examination.
PAUSE, EXAMINED = 15, 3

#: Variance of places from outside the past crop, in variances of one frame.
UNKNOWN = 1e3


@dataclass
class _Past:
    """What is remembered of one track in one exposure.

    Attributes:
        key: Key of the crop's geometry.
        time_s: Time of the last crop in seconds.
        level: Logarithm of its mean brightness.
        mean: Mean of the crops, registered to the last one.
        variance: (N/2, N/2) float32 variance of the mean, in variances of one frame.
        motion: Comparison of differences with the noise.
        seen: Number of crops since the last start.
        pause: Number of crops that will not be fused, because there is no noise.

    """

    key: Hashable
    time_s: float
    level: float
    mean: CropPlanes
    variance: Floats
    motion: LocalMotion = field(default_factory=LocalMotion)
    seen: int = 1
    pause: int = 0

    def restart(self, now: CropPlanes) -> None:
        """Forget the crops, but not the camera's noise."""
        self.mean, self.variance, self.seen = now, _unfused(now), 1


class FrameFusion:
    """Fuses the crops of each track over time.

    Not thread-safe.
    """

    def __init__(self) -> None:
        """Start without any tracks."""
        self._pasts: dict[int, list[_Past]] = {}
        self._registrations: dict[int, Registration] = {}

    def reset(self) -> None:
        """Forget everything."""
        self._pasts.clear()

    def keep(self, track_ids: Iterable[int]) -> None:
        """Forget all tracks except the given ones."""
        wanted = set(track_ids)
        self._pasts = {i: pasts for i, pasts in self._pasts.items() if i in wanted}

    def apply(
        self,
        track_id: int,
        crop: NDArray[np.uint8],
        strength: float,
        horizon: int,
        key: Hashable,
        time_s: float,
    ) -> FusedCrop:
        """Fuse a crop with the earlier ones of its track, and remember it.

        Args:
            track_id: Id of the crop's track; an untracked face, below 0, is not fused.
            crop: (N, N, 3) uint8 BGR aligned crop.
            strength: Share of the fused crop in the result, 0 for none, up to 1.
            horizon: Largest effective number of frames, 1 or above.
            key: Key of everything else on which the crop's geometry depends; a new key starts
                anew.
            time_s: Time of the frame, in seconds of any clock.

        Returns:
            Fused crop. No frame is delayed: where nothing is known of the past, it is the crop.

        """
        if strength <= 0 or horizon <= 1 or track_id < 0:
            self._pasts.pop(track_id, None)
            return FusedCrop(crop)
        level = math.log(1.0 + float(np.mean(crop[::8, ::8])))
        past = self._find(track_id, level, key, time_s)
        if past is None:
            now = CropPlanes.of(crop)
            self._pasts[track_id].append(_Past(key, time_s, level, now, _unfused(now)))
            return FusedCrop(crop)
        past.time_s, past.level = time_s, level
        if past.pause > 0:
            past.pause -= 1
            if past.pause == 0:
                past.restart(CropPlanes.of(crop))
            return FusedCrop(crop)
        now = CropPlanes.of(crop)
        moving = self._update(past, now, horizon)
        if moving > MAX_MOVING:
            past.restart(now)
            return FusedCrop(crop)
        if past.motion.noise_level < NO_NOISE:
            past.pause = PAUSE if past.seen >= EXAMINED else 0
            return FusedCrop(crop)
        fused = past.mean.crop()
        if strength < 1:
            fused = np.asarray(cv2.addWeighted(fused, strength, crop, 1 - strength, 0), np.uint8)
        return FusedCrop(fused, 1.0 / float(past.variance.mean()), moving, past.variance)

    def _find(self, track_id: int, level: float, key: Hashable, time_s: float) -> _Past | None:
        """Return the track's past in the exposure of a crop; forget what is too old."""
        pasts = [
            past
            for past in self._pasts.get(track_id, [])
            if past.key == key and 0 < time_s - past.time_s <= MAX_GAP_S
        ]
        best = min(pasts, key=lambda past: abs(past.level - level), default=None)
        if best is None or abs(best.level - level) > EXPOSURE_STEP:
            # Room for the new one.
            pasts = sorted(pasts, key=lambda past: past.time_s)[-(EXPOSURES - 1) :]
            best = None
        self._pasts[track_id] = pasts
        return best

    def _update(self, past: _Past, now: CropPlanes, horizon: int) -> float:
        """Register the past to a crop and update its mean; return the share that moved."""
        size, side = now.luma.shape[0], now.small.shape[0]
        luma, small, variance = self._carried(past, now)
        difference = now.small - small
        light = _light(difference)
        small_light = enlarged(light, side)
        difference -= small_light
        ratio = past.motion.excess(now.small, difference, variance)
        predicted = variance + MOVING_GROWTH * np.maximum(ratio - MOVING_FROM, 0.0)
        gain = np.maximum(predicted / (predicted + 1.0), 1.0 / horizon).astype(np.float32)
        # The mean becomes mean + light + gain (now - mean - light), for brightness and for all
        # three planes at half the size. With this gain, its variance becomes the gain itself.
        small += small_light
        small += difference * np.asarray(cv2.merge([gain] * 3), np.float32)
        luma += enlarged(np.asarray(cv2.extractChannel(light, 0), np.float32), size)
        luma += (now.luma - luma) * enlarged(gain, size)
        past.mean, past.variance = CropPlanes(luma, small), gain
        past.seen += 1
        return float(np.mean(gain > MOVING_GAIN))

    def _carried(self, past: _Past, now: CropPlanes) -> tuple[Floats, Floats, Floats]:
        """Return the mean's brightness, small planes and variance, registered to a crop."""
        size = now.luma.shape[0]
        if size not in self._registrations:
            self._registrations[size] = Registration(size)
        register = self._registrations[size]
        flow = register.between(now.small_luma, past.mean.small_luma)
        if flow is None:
            return past.mean.luma.copy(), past.mean.small.copy(), past.variance
        luma = register.carry(past.mean.luma, flow, sharp=True)
        small = register.carry(past.mean.small, flow)
        cv2.insertChannel(half(luma), small, 0)
        return luma, small, register.carry(past.variance, flow, beyond=UNKNOWN)


def _unfused(now: CropPlanes) -> Floats:
    """Return the variance of a mean of one crop, (N/2, N/2) float32."""
    return np.ones(now.small.shape[:2], np.float32)


def _light(difference: Floats) -> Floats:
    """Return the part of a difference that is a change of light: smooth, without its details.

    Args:
        difference: (n, n, 3) float32 difference in grey values.

    Returns:
        (32, 32, 3) float32 change of light in grey values. A median keeps lids and pupils, which
        fill a few of its cells, out of it.

    """
    cells = cv2.resize(difference, (LIGHT_CELLS, LIGHT_CELLS), interpolation=cv2.INTER_AREA)
    planes = [cv2.medianBlur(np.ascontiguousarray(plane), 5) for plane in cv2.split(cells)]
    return np.asarray(cv2.GaussianBlur(cv2.merge(planes), (0, 0), 1.0), np.float32)
