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

"""Measures every crop of a replay before and after restoration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.errors import BagError, ReplayError
from cfrnet_ros.replay.frames import PROCESSED, FrameRow, anything_fused
from cfrnet_ros.replay.pictures import Picture, StampFinder
from cfrnet_ros.replay.plan import FACE_TOPIC, FUSED_TOPIC, ReplayLog
from cfrnet_ros.replay.recording import decode_image, image_decoder
from cfrnet_ros.replay.reports import FaceEntry, number
from cfrnet_ros.vision.preprocessing.align import warp_crop
from cfrnet_ros.vision.quality.face_quality import sharpness_of

NAN = float('nan')

#: Longest pause between two crops of a track whose difference counts as flicker, in seconds.
MAX_PAUSE_S = 0.5

#: Values of a face's status that the tables hold in columns of their own.
_NAMED = ('track_id', 'restored', 'reused', 'affine', 'cycles', 'residual')


def psnr(one: Picture, other: Picture) -> float:
    """Return the peak signal-to-noise ratio of two uint8 pictures of one shape, in dB.

    The value is 148 dB at most.

    """
    error = float(np.mean((one.astype(np.float32) - other) ** 2))
    return float(10 * np.log10(255.0**2 / max(error, 1e-10)))


def brightness(picture: Picture) -> float:
    """Return the mean grey value of a (H, W, 3) BGR picture, 0..255."""
    return float(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)).mean())


def difference(one: Picture, other: Picture) -> float:
    """Return the mean absolute difference of two pictures of one shape, 0..255."""
    return float(np.asarray(cv2.absdiff(one, other)).mean())


@dataclass(frozen=True)
class FaceRow:
    """Measurements of one crop.

    Attributes:
        number: Number of the pass, from 0.
        index: Index of the frame in the bag.
        slot: Position among the crops of the frame, from 0.
        track_id: Id that the tracker gave the face.
        restored: Whether the crop was restored; False if it was passed on unchanged.
        reason: Reason why the crop was not restored.
        cycles: Number of cycles applied to the crop.
        residual: Mean absolute change by the last cycle, 0..1.
        psnr_before: PSNR of the camera's crop against the ground truth, in dB; NaN without one.
        psnr_fused: PSNR of the fused crop, which is what the network gets, against the ground
            truth, in dB; NaN without one, and where `FaceSample.fused` is None.
        psnr_after: PSNR of the node's crop against the ground truth, in dB; NaN without one.
        sharpness_before: Sharpness of the camera's crop, as
            `vision.quality.face_quality.sharpness_of` measures it.
        sharpness_after: Sharpness of the node's crop.
        brightness_before: Mean grey value of the camera's crop, 0..255.
        brightness_after: Mean grey value of the node's crop, 0..255.
        brightness_truth: Mean grey value of the ground truth, 0..255; NaN without one.
        flicker_before: Mean absolute difference of the camera's crop from the previous crop
            of the same track, 0..255; NaN for the first crop, and after a pause.
        flicker_after: Mean absolute difference of the node's crop from the previous one.
        values: Further numbers in the node's status of the face, by key.

    """

    number: int
    index: int
    slot: int
    track_id: int
    restored: bool
    reason: str
    cycles: int
    residual: float
    psnr_before: float
    psnr_fused: float
    psnr_after: float
    sharpness_before: float
    sharpness_after: float
    brightness_before: float
    brightness_after: float
    brightness_truth: float
    flicker_before: float
    flicker_after: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class FaceSample:
    """One crop with its pictures.

    Attributes:
        row: Measurements of the crop.
        before: (N, N, 3) uint8 BGR crop as the camera gave it.
        fused: (N, N, 3) uint8 BGR crop before restoration, averaged over time; None if the node
            fused nothing in the whole replay, or if the crop did not arrive.
        after: (N, N, 3) uint8 BGR crop as the node sent it.
        truth: Crop as a perfect camera would have given it, None if unknown.

    """

    row: FaceRow
    before: Picture
    fused: Picture | None
    after: Picture
    truth: Picture | None


@dataclass(frozen=True)
class FrameSample:
    """One frame with its pictures.

    Attributes:
        row: Outcome of the frame.
        picture: (H, W, 3) uint8 BGR image from the camera, None if it cannot be decoded.
        faces: Crops of the frame.

    """

    row: FrameRow
    picture: Picture | None
    faces: list[FaceSample]


def measure(
    log: ReplayLog, rows: Sequence[FrameRow], truth_topic: str | None
) -> Iterator[FrameSample]:
    """Yield the frames of all passes with their pictures and measurements, in order.

    "Before" is cut out of the played bag by the same transform that the node used and
    reports, so before, after and truth show the same pixels.

    Args:
        log: Log of the replay.
        rows: Frames as `collect_frames` returns them.
        truth_topic: Topic of undegraded images with the same header stamps, or None.

    Raises:
        BagError: A bag cannot be read, or the bag has no such topic.
        ReplayError: The ground truth and the images differ in size.

    """
    with BagReader(log.plan.recording) as recording:
        crops = StampFinder(recording, FACE_TOPIC)
        fused = StampFinder(recording, FUSED_TOPIC) if anything_fused(rows) else None
        for place in range(len(log.passes)):
            mine = [row for row in rows if row.number == place]
            with BagReader(log.plan.bag) as bag:
                yield from _measure_pass(bag, log.topic, truth_topic, mine, crops, fused)


def _measure_pass(
    bag: BagReader,
    topic: str,
    truth_topic: str | None,
    rows: Sequence[FrameRow],
    crops: StampFinder,
    fused: StampFinder | None,
) -> Iterator[FrameSample]:
    if truth_topic is not None and truth_topic not in bag.topics:
        raise BagError(f"'{bag.path}' has no topic {truth_topic!r} with the ground truth")
    truths = None if truth_topic is None else StampFinder(bag, truth_topic)
    before: dict[int, tuple[float, FaceSample]] = {}
    decoder = image_decoder()
    for row, message in zip(rows, bag.messages(topic)):
        picture = truth = None
        try:
            picture = decode_image(message, decoder if row.outcome == PROCESSED else None)
        except BagError:
            # The node has rejected the image as well; the table says so.
            yield FrameSample(row, None, [])
            continue
        # Taken for every frame, so that the images of dropped frames do not accumulate.
        ideal = [] if truths is None else truths.take(row.frame.bag_stamp_ns)
        if ideal and row.faces:
            truth = decode_image(ideal[0])
            if truth.shape != picture.shape:
                raise ReplayError(
                    f'the ground truth on {truth_topic} is {truth.shape[1]}x{truth.shape[0]}, but'
                    f' the images are {picture.shape[1]}x{picture.shape[0]}'
                )
        outputs = crops.take(row.frame.stamp_ns, row.faces) if row.faces else []
        inputs = [] if fused is None or not row.faces else fused.take(row.frame.stamp_ns, row.faces)
        faces = []
        for slot, (entry, output) in enumerate(zip(row.entries, outputs)):
            after = decode_image(output)
            # Where one did not arrive, it is unknown to which faces the others belong.
            averaged = decode_image(inputs[slot]) if len(inputs) == row.faces else None
            sample = _measure_face(row, slot, entry, picture, truth, (averaged, after), before)
            before[entry.track_id] = (row.time_s, sample)
            faces.append(sample)
        yield FrameSample(row, picture, faces)


def _measure_face(
    row: FrameRow,
    slot: int,
    entry: FaceEntry,
    picture: Picture,
    truth: Picture | None,
    outputs: tuple[Picture | None, Picture],
    earlier: Mapping[int, tuple[float, FaceSample]],
) -> FaceSample:
    if entry.affine is None:
        raise ReplayError(
            f'the node does not report where the face in frame {row.frame.index} is: the replay'
            ' needs the node of the same version'
        )
    fused, after = outputs
    size = after.shape[0]
    crop = warp_crop(picture, entry.affine, size)
    ideal = None if truth is None else warp_crop(truth, entry.affine, size)
    time_s, last = earlier.get(entry.track_id, (0.0, None))
    # After a longer pause the face looks different; the difference would not be flicker.
    if last is None or row.time_s - time_s > MAX_PAUSE_S or last.after.shape != after.shape:
        last = None
    measured = FaceRow(
        number=row.number,
        index=row.frame.index,
        slot=slot,
        track_id=entry.track_id,
        restored=entry.restored,
        reason=entry.reason,
        cycles=int(np.nan_to_num(number(entry.values, 'cycles'))),
        residual=number(entry.values, 'residual'),
        psnr_before=NAN if ideal is None else psnr(crop, ideal),
        psnr_fused=NAN if ideal is None or fused is None else psnr(fused, ideal),
        psnr_after=NAN if ideal is None else psnr(after, ideal),
        sharpness_before=sharpness_of(crop),
        sharpness_after=sharpness_of(after),
        brightness_before=brightness(crop),
        brightness_after=brightness(after),
        brightness_truth=NAN if ideal is None else brightness(ideal),
        flicker_before=NAN if last is None else difference(crop, last.before),
        flicker_after=NAN if last is None else difference(after, last.after),
        values={
            key: number(entry.values, key)
            for key in entry.values
            if key not in _NAMED and not np.isnan(number(entry.values, key))
        },
    )
    return FaceSample(measured, crop, fused, after, ideal)
