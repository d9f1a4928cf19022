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

"""Assigns detections to tracked faces: scores of pairs, and the best set of pairs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cfrnet_ros.vision.types import Face

#: Limits for two boxes of one face: they overlap by at least the first value (intersection over
#: union) or their centres are no further apart than the second (as a part of their mean side),
#: and neither is larger than the third times the other.
MIN_OVERLAP, MAX_DISTANCE, MAX_RATIO = 0.2, 0.5, 2.0


def affinity(one: Face, other: Face, reach: float = 0.0) -> float:
    """Return how well two boxes fit one face.

    Args:
        one: Face at the position where it is expected.
        other: Face that was detected.
        reach: Distance by which they may be further apart than `MAX_DISTANCE`, in mean sides,
            for a face that was not seen for a while.

    Returns:
        Score, from 0 for no match up to 2.

    """
    area, other_area = one.area, other.area
    if area <= 0 or other_area <= 0:
        return 0.0
    if max(area, other_area) > MAX_RATIO**2 * min(area, other_area):
        return 0.0
    shared = overlap(one, other)
    apart = np.hypot(*(one.box[:2] + one.box[2:] - other.box[:2] - other.box[2:]) / 2)
    distance = float(apart) / (np.sqrt(area) + np.sqrt(other_area)) * 2
    if shared < MIN_OVERLAP and distance > MAX_DISTANCE + reach:
        return 0.0
    return float(shared + max(0.0, 1.0 - distance / (1.0 + reach)))


def overlap(one: Face, other: Face) -> float:
    """Return the intersection over union of two boxes, 0..1."""
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    shared = float(max(0.0, width) * max(0.0, height))
    union = one.area + other.area - shared
    return shared / union if union > 0 else 0.0


def best_pairs(scores: Mapping[tuple[int, int], float]) -> dict[int, int]:
    """Pair rows with columns so that the sum of their scores is large.

    The best pair is taken first, and so on; then pairs exchange partners wherever that
    increases their sum. For the handful of faces in a frame the result is that of the
    Hungarian method.

    Args:
        scores: Scores above 0 of the possible pairs (row, column).

    Returns:
        Column by row; each column occurs at most once.

    """
    match: dict[int, int] = {}
    taken: set[int] = set()
    for (row, column), _ in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
        if row not in match and column not in taken:
            match[row] = column
            taken.add(column)
    improved = True
    while improved:
        improved = False
        rows = sorted(match)
        for i, row in enumerate(rows):
            for other in rows[i + 1 :]:
                now = scores[row, match[row]] + scores[other, match[other]]
                swapped = [scores.get((row, match[other])), scores.get((other, match[row]))]
                if None not in swapped and sum(s or 0.0 for s in swapped) > now + 1e-9:
                    match[row], match[other] = match[other], match[row]
                    improved = True
    return match
