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

"""Before, fused and after side by side: the same part of the bag at each number of cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan
from statistics import fmean

from cfrnet_ros.replay.frames import FrameRow
from cfrnet_ros.replay.measure import NAN, FaceRow, FrameSample
from cfrnet_ros.replay.pictures import Picture
from cfrnet_ros.replay.recording import Segment


@dataclass(frozen=True)
class Cell:
    """One crop, restored with one number of cycles.

    Attributes:
        cycles: Number of cycles.
        crop: (N, N, 3) uint8 BGR crop, None if no face was received in this segment.
        index: Index of the frame, -1 if there is none.
        psnr_before: Mean PSNR of the segment's largest faces before restoration, in dB; NaN
            without ground truth.
        psnr_fused: Mean PSNR of the same faces' fused crops, in dB; NaN if nothing was fused.
        psnr_after: Mean PSNR of the same faces after restoration, in dB.

    """

    cycles: int
    crop: Picture | None
    index: int
    psnr_before: float
    psnr_fused: float
    psnr_after: float


@dataclass(frozen=True)
class Row:
    """One segment of the bag.

    Attributes:
        name: Name of the segment.
        before: (N, N, 3) uint8 BGR crop as the camera gave it.
        fused: (N, N, 3) uint8 BGR crop before restoration, averaged over time; None if nothing
            was fused in the whole replay.
        truth: Crop as a perfect camera would have given it, None if unknown.
        cells: Restored crop of each pass.

    """

    name: str
    before: Picture | None
    fused: Picture | None
    truth: Picture | None
    cells: list[Cell]


@dataclass
class Gallery:
    """Chooses frames in advance and keeps their pictures as the samples go by.

    A busy node drops frames, and which ones depends on the number of cycles. The frames of a
    row are therefore as close to each other as possible, but not always the same.
    """

    cycles: Sequence[int]
    segments: Sequence[Segment]
    chosen: dict[tuple[int, int], int] = field(default_factory=dict)
    kept: dict[tuple[int, int], FrameSample] = field(default_factory=dict)

    @classmethod
    def choose(
        cls, cycles: Sequence[int], segments: Sequence[Segment], rows: Sequence[FrameRow]
    ) -> Gallery:
        """Choose the frames to show.

        Args:
            cycles: Number of cycles of each pass.
            segments: Segments of the bag.
            rows: Frames of all passes.

        """
        gallery = cls(cycles, segments)
        for place, segment in enumerate(segments):
            by_pass = [
                [
                    row.frame.index
                    for row in rows
                    if row.number == number
                    and row.faces
                    and segment.start <= row.frame.index < segment.end
                ]
                for number in range(len(cycles))
            ]
            for number, index in enumerate(_aligned(by_pass)):
                gallery.chosen[place, number] = index
        return gallery

    def offer(self, sample: FrameSample) -> None:
        """Keep a sample if its frame was chosen."""
        for key, index in self.chosen.items():
            if key[1] == sample.row.number and index == sample.row.frame.index and sample.faces:
                self.kept[key] = sample

    def rows(self, faces: Sequence[FaceRow]) -> list[Row]:
        """Assemble the rows of the gallery.

        Args:
            faces: Crops that are compared; the means are over the first crop of each frame.

        """
        first = [face for face in faces if face.slot == 0]
        rows = []
        for place, segment in enumerate(self.segments):
            cells = []
            for number, cycles in enumerate(self.cycles):
                here = [
                    face
                    for face in first
                    if face.number == number and segment.start <= face.index < segment.end
                ]
                sample = self.kept.get((place, number))
                cells.append(
                    Cell(
                        cycles,
                        None if sample is None else sample.faces[0].after,
                        self.chosen[place, number],
                        fmean(face.psnr_before for face in here) if here else NAN,
                        _known_mean([face.psnr_fused for face in here]),
                        fmean(face.psnr_after for face in here) if here else NAN,
                    )
                )
            kept = [self.kept.get((place, number)) for number in range(len(self.cycles))]
            shown = next((sample.faces[0] for sample in kept if sample is not None), None)
            rows.append(
                Row(
                    segment.name,
                    None if shown is None else shown.before,
                    None if shown is None else shown.fused,
                    None if shown is None else shown.truth,
                    cells,
                )
            )
        return rows


def _known_mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are known; NaN if none is."""
    known = [value for value in values if not isnan(value)]
    return fmean(known) if known else NAN


def _aligned(by_pass: Sequence[Sequence[int]]) -> list[int]:
    """Choose a frame of each pass, close to those of the others; -1 for a pass without one."""
    anchors = min((group for group in by_pass if group), key=len, default=[])
    if not anchors:
        return [-1] * len(by_pass)

    def spread(index: int) -> int:
        return sum(min(abs(found - index) for found in group) for group in by_pass if group)

    # Of equally good frames, take the middle one: a new condition takes a moment to show.
    middle = anchors[len(anchors) // 2]
    best = min(anchors, key=lambda index: (spread(index), abs(index - middle)))
    return [min(group, key=lambda found: abs(found - best)) if group else -1 for group in by_pass]
