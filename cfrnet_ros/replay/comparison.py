"""Before and after, side by side: the same stretch of the bag at each number of cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.recording import (
    Output,
    Picture,
    Segment,
    decode_image,
    list_outputs,
    load_images,
)
from cfrnet_ros.replay.session import FACE_TOPIC, ReplayLog
from cfrnet_ros.replay.stamps import read_stamp
from cfrnet_ros.vision.align import align_face
from cfrnet_ros.vision.detector import YuNetDetector
from cfrnet_ros.vision.model_card import ModelCard
from cfrnet_ros.vision.providers import choose_providers

#: Crops that are measured per segment and pass; more would not change the mean.
_MEASURED = 6
_DETECTION_THRESHOLD = 0.5


def psnr(one: Picture, other: Picture) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures of one shape, in dB."""
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return float(10 * np.log10(255.0**2 / max(error, 1e-10)))


@dataclass(frozen=True)
class Cell:
    """A crop after some cycles.

    Attributes:
        cycles: how many.
        crop: (N, N, 3) uint8 BGR, None if no face came back in this segment.
        index: of the frame.
        psnr_before: mean over the segment, dB, before; NaN without truth.
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
        cells: for each number of cycles.

    """

    name: str
    before: Picture | None
    truth: Picture | None
    cells: list[Cell]


class SourceCrops:
    """Cuts faces out of the played bag as the node does, from the same frames.

    With `detection_interval` 1 the node's crops are a function of the frame alone, so
    these are the very pixels that the restorer was given.
    """

    def __init__(
        self, log: ReplayLog, card: ModelCard, truth_topic: str | None, indices: set[int]
    ) -> None:
        """Read the bag.

        Args:
            log: of the replay.
            card: of the model that the node used.
            truth_topic: undegraded images with the same header stamps, or None.
            indices: of the frames that will be asked for.

        Raises:
            BagError: the bag cannot be read.
            VisionError: no detector.

        """
        self._card = card
        self._margin = float(log.plan.parameters.get('crop_margin', 1.0))
        size = int(log.plan.parameters.get('detector_input_size', 480))
        model = log.plan.parameters.get('detector_model') or None
        self._detector = YuNetDetector(model, choose_providers('cpu'), size, 1)
        self.crops: dict[int, tuple[Picture, Picture | None]] = {}
        frames: dict[int, tuple[int, Picture]] = {}
        with BagReader(log.plan.bag) as bag:
            for index, message in enumerate(bag.messages(log.topic)):
                if index in indices:
                    frames[index] = (read_stamp(message.data), decode_image(message))
        truths: dict[int, Picture] = {}
        if truth_topic is not None:
            stamps = {stamp for stamp, _ in frames.values()}
            truths = load_images(log.plan.bag, truth_topic, stamps)
        for index, (stamp, frame) in frames.items():
            landmarks = self._landmarks(frame)
            if landmarks is not None:
                truth = truths.get(stamp)
                self.crops[index] = (
                    self._cut(frame, landmarks),
                    None if truth is None else self._cut(truth, landmarks),
                )

    def _landmarks(self, frame: Picture) -> NDArray[np.float32] | None:
        faces = self._detector.detect(frame, _DETECTION_THRESHOLD)
        return faces[0].landmarks if faces else None

    def _cut(self, frame: Picture, landmarks: NDArray[np.float32]) -> Picture:
        crop, _ = align_face(frame, landmarks, self._card.size, self._card.template, self._margin)
        return crop


def compare(
    log: ReplayLog, segments: Sequence[Segment], card: ModelCard, truth_topic: str | None
) -> list[Row]:
    """Put before and after side by side.

    Args:
        log: of the replay.
        segments: of the bag.
        card: of the model that the node used.
        truth_topic: undegraded images with the same header stamps, or None.

    Returns:
        A row for each segment. The crops of a row are of frames as close to each other
        as can be had: a busy node drops frames, and other ones at other cycles.

    """
    outputs = list_outputs(log, FACE_TOPIC)
    chosen: dict[tuple[int, int], list[Output]] = {}
    for place, segment in enumerate(segments):
        here = [found for found in outputs if segment.start <= found.index < segment.end]
        for number, group in enumerate(_aligned(here, len(log.passes))):
            chosen[place, number] = group
    indices = {found.index for group in chosen.values() for found in group}
    source = SourceCrops(log, card, truth_topic, indices)
    stamps = {found.stamp_ns for group in chosen.values() for found in group}
    crops = load_images(log.plan.recording, FACE_TOPIC, stamps)
    rows = []
    for place, segment in enumerate(segments):
        groups = [chosen[place, number] for number in range(len(log.passes))]
        firsts = [group[0].index for group in groups if group and group[0].index in source.crops]
        before, truth = source.crops[firsts[0]] if firsts else (None, None)
        cells = [
            _cell(played.cycles, group, crops, source) for played, group in zip(log.passes, groups)
        ]
        rows.append(Row(segment.name, before, truth, cells))
    return rows


def _aligned(outputs: Sequence[Output], passes: int) -> list[list[Output]]:
    """Choose outputs of each pass, those at the front closest to those of the others."""
    by_pass = [[found for found in outputs if found.number == number] for number in range(passes)]
    anchors = min((group for group in by_pass if group), key=len, default=[])
    if not anchors:
        return by_pass

    def spread(index: int) -> int:
        return sum(min(abs(f.index - index) for f in group) for group in by_pass if group)

    # Of equally good ones the middle one: conditions need a moment to show.
    middle = anchors[len(anchors) // 2].index
    best = min((found.index for found in anchors), key=lambda i: (spread(i), abs(i - middle)))
    chosen = []
    for group in by_pass:
        front = sorted(group, key=lambda found: abs(found.index - best))[:1]
        picks = np.linspace(0, max(0, len(group) - 1), min(_MEASURED, len(group))).round()
        rest = [group[int(pick)] for pick in picks if group[int(pick)] not in front]
        chosen.append(front + rest)
    return chosen


def _cell(
    cycles: int, group: Sequence[Output], crops: dict[int, Picture], source: SourceCrops
) -> Cell:
    before, after = [], []
    for found in group:
        seen, truth = source.crops.get(found.index, (None, None))
        if seen is not None and truth is not None and crops[found.stamp_ns].shape == truth.shape:
            before.append(psnr(seen, truth))
            after.append(psnr(crops[found.stamp_ns], truth))
    nan = float('nan')
    return Cell(
        cycles,
        crops[group[0].stamp_ns] if group else None,
        group[0].index if group else -1,
        fmean(before) if before else nan,
        fmean(after) if after else nan,
    )
