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

"""Registers the mean of a face's earlier crops to its newest crop by dense optical flow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.restoration.crop_planes import enlarged, to_bytes

Floats = NDArray[np.float32]

#: Side in pixels of the pictures between which the flow is computed.
FLOW_SIDE = 128

#: Blur of these pictures (sigma) and side of the window over which the flow is averaged, in
#: their pixels. The flow of noise is random and cancels out.
BLUR, SMOOTH = 1.2, 9

#: Finest level of the flow's pyramid (1 is half of `FLOW_SIDE`; finer flow follows noise), steps of
#: its descent and distance of its patches in pixels: half of the time of OpenCV's own values, with
#: the same result on `benchmarks.fusion`.
FINEST, DESCENT_STEPS, PATCH_DISTANCE = 1, 8, 5

#: Least span of brightness that is stretched to 255 for the flow, in grey values.
LEAST_SPAN = 20.0

#: Mean motion, in crop pixels, below which no pixel is moved: resampling would blur more than it
#: aligns.
STILL = 0.06


# A flow of another size is not taken as a first guess.
_NO_FLOW = np.zeros((1, 1, 2), np.float32)


class Registration:
    """Carries the planes of crops of one size along the flow between two of them.

    Not thread-safe.
    """

    def __init__(self, size: int) -> None:
        """Prepare the flow.

        Args:
            size: Side of the crops in pixels, an even number.

        """
        # Dense inverse search (Kroeger et al., "Fast optical flow using dense inverse search",
        # ECCV 2016). Its patches are normalised by their mean, so that a change of light is not
        # taken for motion.
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._flow.setFinestScale(FINEST)
        self._flow.setGradientDescentIterations(DESCENT_STEPS)
        self._flow.setPatchStride(PATCH_DISTANCE)
        self._grids = {side: _grid(side) for side in (size, size // 2)}

    def between(self, new: Floats, old: Floats) -> Floats | None:
        """Return where each place of a crop was before.

        Args:
            new: (n, n) float32 brightness of the newest crop, 0..255.
            old: (n, n) float32 brightness of the mean.

        Returns:
            (128, 128, 2) float32 displacement x, y in pixels of `FLOW_SIDE`; None if the face did
            not move.

        """
        seen, past = _flow_picture(new), _flow_picture(old)
        low, high, _, _ = cv2.minMaxLoc(past)
        scale = 255.0 / max(high - low, LEAST_SPAN)
        pictures = [to_bytes(picture, scale, -low * scale) for picture in (seen, past)]
        raw = self._flow.calc(pictures[0], pictures[1], _NO_FLOW)
        flow = np.asarray(cv2.blur(raw, (SMOOTH, SMOOTH)), np.float32)
        motion = cv2.norm(flow, cv2.NORM_L1) / flow.size * max(self._grids) / FLOW_SIDE
        return None if motion < STILL else flow

    def carry(
        self, plane: Floats, flow: Floats, *, sharp: bool = False, beyond: float | None = None
    ) -> Floats:
        """Move a plane of the past to where the face is in the newest crop.

        Args:
            plane: (n, n) or (n, n, C) float32 plane, where n is the size or half of it.
            flow: Displacement, as `between` returns it.
            sharp: Whether to interpolate by cubic polynomials, which take longer. What is
                interpolated linearly again and again becomes blurred.
            beyond: Value of the places that were outside the past crop; None continues its border.

        Returns:
            Moved plane, a new array.

        """
        side = plane.shape[0]
        # OpenCV's type stubs do not know that one map of x and y needs no second one.
        moved = cv2.remap(  # type: ignore[call-overload]
            plane,
            _at_side(flow, side) + self._grids[side],
            None,
            cv2.INTER_CUBIC if sharp else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE if beyond is None else cv2.BORDER_CONSTANT,
            borderValue=beyond or 0.0,
        )
        return np.asarray(moved, np.float32)


def _flow_picture(plane: Floats) -> Floats:
    if plane.shape[0] != FLOW_SIDE:
        plane = np.asarray(
            cv2.resize(plane, (FLOW_SIDE, FLOW_SIDE), interpolation=cv2.INTER_AREA), np.float32
        )
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), BLUR), np.float32)


def _at_side(flow: Floats, side: int) -> Floats:
    """Return a flow at another size, with displacements in its pixels."""
    if side == flow.shape[0]:
        return flow
    wide = enlarged(flow, side)
    wide *= np.float32(side / flow.shape[0])
    return wide


def _grid(side: int) -> Floats:
    y, x = np.mgrid[:side, :side].astype(np.float32)
    return np.dstack([x, y])
