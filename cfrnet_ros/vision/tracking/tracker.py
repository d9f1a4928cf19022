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

"""Tracks faces over frames: track ids, and motion between detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.tracking.appearance import Look, blend_looks, look_of, resemblance
from cfrnet_ros.vision.tracking.association import affinity, best_pairs, overlap
from cfrnet_ros.vision.tracking.motion import carry_face
from cfrnet_ros.vision.types import Face

#: Largest number of consecutive detections that may miss a face which optical flow still follows:
#: detections are unreliable in the dark.
MAX_MISSES = 2

#: Weight of the looks' resemblance (-1..1) relative to the boxes' affinity (0..2).
LOOKS = 1.0

#: Limits for recognising a lost face: the least resemblance of its looks, the same while another
#: face still hides part of it, and the largest distance per second from the place where it was
#: heading, in sides of its box. On portraits and webcam faces the resemblance with oneself is
#: above 0.6, half hidden above 0.2, and with others below 0.5.
MIN_RESEMBLANCE, MIN_HIDDEN_RESEMBLANCE, REACH_PER_S = 0.5, 0.25, 3.0

#: Longest time in seconds for which a lost face is expected to continue its motion.
MAX_COAST_S = 0.4

#: Overlap above which two boxes hide part of each other, so that their looks are not learned.
HIDING = 0.05

#: Time in seconds between frames that have no time of their own.
DEFAULT_PERIOD_S = 1 / 30


@dataclass
class _Track:
    face: Face
    #: Latest detection of the face, and its time: optical flow may meanwhile have followed
    #: another person who passed in front.
    seen: Face
    seen_s: float
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    look: Look | None = None
    misses: int = 0


class FaceTracker:
    """Gives faces ids that stay with them; ids are never used twice.

    Between detections faces are followed by optical flow. Detections are matched with the
    tracks by place, motion and look together, so that two people whose faces cross keep
    their ids. A face that was lost gets its id back if it returns soon, close to where it was
    heading, and looks as before. Not thread-safe.

    Attributes:
        lost: Number of faces that the most recent update dropped.
        memory_s: Time in seconds for which a lost face is remembered; 0 forgets it at once,
            except between optical flow and a detection in one and the same frame.

    """

    def __init__(self, memory_s: float = 2.0) -> None:
        """Start without faces; the first id is 0."""
        self.lost = 0
        self.memory_s = memory_s
        self._next_id = 0
        self._tracks: list[_Track] = []
        self._lost: list[_Track] = []
        # Dropped by optical flow in the last update; the next detection may find them.
        self._missing: list[_Track] = []
        self._gray: NDArray[np.uint8] | None = None
        self._now_s = 0.0

    @property
    def active(self) -> int:
        """Number of faces that are tracked now."""
        return len(self._tracks)

    def reset(self) -> None:
        """Forget all faces, for a new scene; the numbering of ids continues."""
        self.lost = 0
        self._tracks, self._lost, self._missing, self._gray = [], [], [], None

    def update(
        self,
        gray: NDArray[np.uint8],
        detections: Sequence[Face] | None,
        now_s: float | None = None,
    ) -> list[Face]:
        """Track the faces into the next frame.

        Args:
            gray: (H, W) uint8 frame.
            detections: Faces found in this frame: [] if the detector found none, None if it did not
                run and faces are to be followed by optical flow.
            now_s: Time at which the frame was taken, in seconds of any clock; None takes the
                frames to be 1/30 s apart.

        Returns:
            Faces in this frame with their track ids, largest first. A face that detections miss is
            included for up to `MAX_MISSES` detections, as long as optical flow follows it.

        Raises:
            ValueError: The frame is not (H, W) uint8.

        """
        if gray.ndim != 2 or gray.dtype != np.uint8:
            raise ValueError(f'the frame must be (H, W) uint8, got {gray.shape} {gray.dtype}')
        self._now_s = self._now_s + DEFAULT_PERIOD_S if now_s is None else now_s
        before = self._gray
        if before is not None and before.shape != gray.shape:
            # Another camera or another mode: earlier positions have no meaning.
            self.lost = len(self._tracks)
            self._tracks, self._lost, self._missing, before = [], [], [], None
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
        self._lost += self._missing
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
        now = self._now_s
        # After a jump back in time, the time since a face was seen is unknown.
        self._lost = [t for t in self._lost if 0 <= now - t.seen_s <= self.memory_s]
        followed = len(self._tracks)
        recent = followed + len(self._missing)
        candidates = self._tracks + self._missing + self._lost
        looks = [look_of(gray, face.landmarks) for face in detections]
        hidden = [
            any(overlap(face, other) > HIDING for k, other in enumerate(detections) if k != j)
            for j, face in enumerate(detections)
        ]
        scores: dict[tuple[int, int], float] = {}
        for i, track in enumerate(candidates):
            for j, face in enumerate(detections):
                least = MIN_HIDDEN_RESEMBLANCE if hidden[j] else MIN_RESEMBLANCE
                score = self._score(track, face, looks[j], least, recently=i < recent)
                if score > 0:
                    scores[i, j] = score
        match = best_pairs(scores)

        kept: list[_Track] = []
        lost: list[_Track] = []
        for i, track in enumerate(candidates):
            if i in match:
                j = match[i]
                # The look of a partly hidden face is not learned.
                self._confirm(track, detections[j], None if hidden[j] else looks[j])
                kept.append(track)
            elif i < followed:
                track.misses += 1
                carried = None
                if before is not None and track.misses <= MAX_MISSES:
                    carried = carry_face(before, gray, track.face)
                if carried is None or any(affinity(carried, found) > 0 for found in detections):
                    self.lost += 1
                    lost.append(track)
                    continue
                track.face = carried
                kept.append(track)
            else:
                lost.append(track)
        taken = set(match.values())
        for j, face in enumerate(detections):
            if j not in taken:
                face = replace(face, track_id=self._next_id)
                kept.append(_Track(face, face, now, look=looks[j]))
                self._next_id += 1
        self._tracks, self._missing = kept, []
        self._lost = lost if self.memory_s > 0 else []

    def _score(
        self, track: _Track, face: Face, look: Look | None, least: float, *, recently: bool
    ) -> float:
        """Return how well a detection continues a track; 0 or below for not at all."""
        alike = resemblance(track.look, look)
        passed = max(0.0, self._now_s - track.seen_s)
        if recently:
            near = affinity(track.face, face)
            if near > 0 or passed == 0:
                return near + LOOKS * alike if near > 0 else 0.0
        if alike < least:
            return 0.0
        coast = min(passed, MAX_COAST_S)
        expected = _moved(track.seen, track.velocity * coast)
        near = affinity(expected, face, REACH_PER_S * passed)
        return near + LOOKS * alike if near > 0 else 0.0

    def _confirm(self, track: _Track, detection: Face, look: Look | None) -> None:
        """Continue a track with a detection."""
        face = replace(detection, track_id=track.face.track_id)
        passed = self._now_s - track.seen_s
        if passed > 0:
            moved = (face.box - track.seen.box).reshape(2, 2).mean(axis=0) / passed
            track.velocity = (track.velocity + moved) / 2
        track.look = blend_looks(track.look, look)
        track.face, track.seen, track.seen_s, track.misses = face, face, self._now_s, 0


def _moved(face: Face, shift: NDArray[np.float64]) -> Face:
    step = shift.astype(np.float32)
    return replace(face, box=face.box + np.tile(step, 2), landmarks=face.landmarks + step)
