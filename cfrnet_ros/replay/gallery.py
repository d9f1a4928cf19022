"""Before and after, side by side: the same stretch of the bag at each number of cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from cfrnet_ros.replay.frames import FrameRow
from cfrnet_ros.replay.measure import NAN, FaceRow, FrameSample
from cfrnet_ros.replay.pictures import Picture
from cfrnet_ros.replay.recording import Segment


@dataclass(frozen=True)
class Cell:
    """A crop after some cycles.

    Attributes:
        cycles: how many.
        crop: (N, N, 3) uint8 BGR, None if no face came back in this segment.
        index: of the frame, -1 without one.
        psnr_before: mean over the segment's largest faces, dB; NaN without truth.
        psnr_after: the same, after.

    """

    cycles: int
    crop: Picture | None
    index: int
    psnr_before: float
    psnr_after: float


@dataclass(frozen=True)
class Row:
    """One segment of the bag.

    Attributes:
        name: of the segment.
        before: (N, N, 3) uint8 BGR, the crop as the camera gave it.
        truth: the crop as a perfect camera would have given it, None if unknown.
        cells: for each pass.

    """

    name: str
    before: Picture | None
    truth: Picture | None
    cells: list[Cell]


@dataclass
class Gallery:
    """Chooses frames in advance and keeps their pictures as the samples go by.

    A busy node drops frames, and other ones at other cycles: the frames of a row are as
    close to each other as can be had.
    """

    cycles: Sequence[int]
    segments: Sequence[Segment]
    chosen: dict[tuple[int, int], int] = field(default_factory=dict)
    kept: dict[tuple[int, int], FrameSample] = field(default_factory=dict)

    @classmethod
    def choose(
        cls, cycles: Sequence[int], segments: Sequence[Segment], rows: Sequence[FrameRow]
    ) -> Gallery:
        """Choose the frames.

        Args:
            cycles: of each pass.
            segments: of the bag.
            rows: of all passes.

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
        """Keep a sample if it is one of the chosen."""
        for key, index in self.chosen.items():
            if key[1] == sample.row.number and index == sample.row.frame.index and sample.faces:
                self.kept[key] = sample

    def rows(self, faces: Sequence[FaceRow]) -> list[Row]:
        """Put the pictures together.

        Args:
            faces: of all passes; the means are over the first crop of each frame.

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
                        fmean(face.psnr_after for face in here) if here else NAN,
                    )
                )
            kept = [self.kept.get((place, number)) for number in range(len(self.cycles))]
            shown = next((sample.faces[0] for sample in kept if sample is not None), None)
            rows.append(
                Row(
                    segment.name,
                    None if shown is None else shown.before,
                    None if shown is None else shown.truth,
                    cells,
                )
            )
        return rows


def _aligned(by_pass: Sequence[Sequence[int]]) -> list[int]:
    """Choose a frame of each pass, closest to those of the others; -1 where there is none."""
    anchors = min((group for group in by_pass if group), key=len, default=[])
    if not anchors:
        return [-1] * len(by_pass)

    def spread(index: int) -> int:
        return sum(min(abs(found - index) for found in group) for group in by_pass if group)

    # Of equally good ones the middle one: conditions need a moment to show.
    middle = anchors[len(anchors) // 2]
    best = min(anchors, key=lambda index: (spread(index), abs(index - middle)))
    return [min(group, key=lambda found: abs(found - best)) if group else -1 for group in by_pass]
