"""Keeping faces apart over frames: track ids, and motion between detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.motion import carry_face
from cfrnet_ros.vision.types import Face

#: Detections in a row that may miss a face which optical flow still follows: detectors
#: flicker in the dark.
MAX_MISSES = 2

#: Two boxes are of one face only if they overlap by this much (intersection over union)
#: or their centres are no further apart than this part of their mean side; and if
#: neither is larger than this many times the other.
MIN_OVERLAP, MAX_DISTANCE, MAX_RATIO = 0.2, 0.5, 2.0


@dataclass
class _Track:
    face: Face
    misses: int = 0


class FaceTracker:
    """Gives faces ids that stay with them; ids are never used twice.

    Not thread-safe.

    Attributes:
        lost: how many faces the most recent update dropped.

    """

    def __init__(self) -> None:
        """Start without faces, with id 0 next."""
        self.lost = 0
        self._next_id = 0
        self._tracks: list[_Track] = []
        # Dropped by optical flow in the last update: the next detection may find them.
        self._missing: list[_Track] = []
        self._gray: NDArray[np.uint8] | None = None

    @property
    def active(self) -> int:
        """Number of faces tracked now."""
        return len(self._tracks)

    def reset(self) -> None:
        """Forget all faces, for a new scene; ids go on where they were."""
        self.lost = 0
        self._tracks, self._missing, self._gray = [], [], None

    def update(self, gray: NDArray[np.uint8], detections: Sequence[Face] | None) -> list[Face]:
        """Take the next frame.

        Args:
            gray: (H, W) uint8 frame.
            detections: faces found in this frame, [] where the detector found none, or
                None where it did not run and faces are to be followed by optical flow.

        Returns:
            The faces in this frame with their track ids, largest first. A face that a
            detection missed is still among them while optical flow follows it, for
            `MAX_MISSES` detections.

        Raises:
            ValueError: the frame is not (H, W) uint8.

        """
        if gray.ndim != 2 or gray.dtype != np.uint8:
            raise ValueError(f'the frame must be (H, W) uint8, got {gray.shape} {gray.dtype}')
        before = self._gray
        if before is not None and before.shape != gray.shape:
            # Another camera or another mode: positions mean nothing any more.
            self.lost = len(self._tracks)
            self._tracks, self._missing, before = [], [], None
        else:
            self.lost = 0
        if detections is None:
            self._follow(before, gray)
        else:
            self._associate(before, gray, detections)
        self._gray = gray
        return sorted((track.face for track in self._tracks), key=lambda f: f.area, reverse=True)

    def _follow(self, before: NDArray[np.uint8] | None, gray: NDArray[np.uint8]) -> None:
        kept = []
        self._missing = []
        for track in self._tracks:
            face = None if before is None else carry_face(before, gray, track.face)
            if face is None:
                self._missing.append(track)
                continue
            track.face = face
            kept.append(track)
        self.lost += len(self._missing)
        self._tracks = kept

    def _associate(
        self,
        before: NDArray[np.uint8] | None,
        gray: NDArray[np.uint8],
        detections: Sequence[Face],
    ) -> None:
        candidates = self._tracks + self._missing
        followed = len(self._tracks)
        pairs = sorted(
            (
                (_affinity(track.face, face), i, j)
                for i, track in enumerate(candidates)
                for j, face in enumerate(detections)
            ),
            reverse=True,
        )
        # Greedy by affinity: faces rarely overlap, so the best pairs are the right ones.
        match: dict[int, int] = {}
        taken: set[int] = set()
        for affinity, i, j in pairs:
            if affinity > 0 and i not in match and j not in taken:
                match[i] = j
                taken.add(j)

        kept = []
        for i, track in enumerate(candidates):
            if i in match:
                track.face = replace(detections[match[i]], track_id=track.face.track_id)
                track.misses = 0
                kept.append(track)
            elif i < followed:
                track.misses += 1
                face = None
                if before is not None and track.misses <= MAX_MISSES:
                    face = carry_face(before, gray, track.face)
                if face is None or any(_affinity(face, found) > 0 for found in detections):
                    self.lost += 1
                    continue
                track.face = face
                kept.append(track)
        for j, face in enumerate(detections):
            if j not in taken:
                kept.append(_Track(replace(face, track_id=self._next_id)))
                self._next_id += 1
        self._tracks, self._missing = kept, []


def _affinity(one: Face, other: Face) -> float:
    """How well two boxes fit one face: 0 for not at all, up to 2."""
    area, other_area = one.area, other.area
    if area <= 0 or other_area <= 0:
        return 0.0
    if max(area, other_area) > MAX_RATIO**2 * min(area, other_area):
        return 0.0
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    shared = float(max(0.0, width) * max(0.0, height))
    overlap = shared / (area + other_area - shared)
    apart = np.hypot(*(one.box[:2] + one.box[2:] - other.box[:2] - other.box[2:]) / 2)
    distance = float(apart) / (np.sqrt(area) + np.sqrt(other_area)) * 2
    if overlap < MIN_OVERLAP and distance > MAX_DISTANCE:
        return 0.0
    return float(overlap + max(0.0, 1.0 - distance))
