"""Before and after, measured for every crop of a replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cfrnet_ros.replay.bag_reader import BagReader
from cfrnet_ros.replay.errors import BagError, ReplayError
from cfrnet_ros.replay.frames import PROCESSED, FrameRow
from cfrnet_ros.replay.pictures import Picture, StampFinder
from cfrnet_ros.replay.plan import FACE_TOPIC, ReplayLog
from cfrnet_ros.replay.recording import decode_image, image_decoder
from cfrnet_ros.replay.reports import FaceEntry, number
from cfrnet_ros.vision.preprocessing.align import warp_crop
from cfrnet_ros.vision.quality.face_quality import sharpness_of

NAN = float('nan')

#: Two crops of a track that are further apart than this are not compared, in seconds.
MAX_PAUSE_S = 0.5

#: What the node says about a face and the tables hold under names of their own.
_NAMED = ('track_id', 'restored', 'reused', 'affine', 'cycles', 'residual')


def psnr(one: Picture, other: Picture) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures of one shape, in dB, 148 at most."""
    error = float(np.mean((one.astype(np.float32) - other) ** 2))
    return float(10 * np.log10(255.0**2 / max(error, 1e-10)))


def brightness(picture: Picture) -> float:
    """Mean grey value of a (H, W, 3) BGR picture, 0..255."""
    return float(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)).mean())


def difference(one: Picture, other: Picture) -> float:
    """Mean absolute difference of two pictures of one shape, 0..255."""
    return float(np.asarray(cv2.absdiff(one, other)).mean())


@dataclass(frozen=True)
class FaceRow:
    """One crop.

    Attributes:
        number: of the pass, from 0.
        index: of the frame.
        slot: place among the crops of the frame, from 0.
        track_id: of the tracker.
        restored: whether the crop was restored, or passed on as it was.
        reason: why it was not.
        cycles: that it got.
        residual: mean absolute change of the last cycle, 0..1.
        psnr_before: of the crop as the camera gave it against the truth, dB, NaN without.
        psnr_after: of what the node made of it.
        sharpness_before: see `vision.quality.face_quality.sharpness_of`.
        sharpness_after: the same.
        brightness_before: mean grey value, 0..255.
        brightness_after: the same.
        brightness_truth: the same, NaN without truth.
        flicker_before: mean absolute difference from the crop before of the same track,
            0..255; NaN for the first, and after a pause.
        flicker_after: the same.
        values: whatever else the node says about the face, as far as it is a number.

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
        row: the measurements.
        before: (N, N, 3) uint8 BGR, as the camera gave it.
        after: the same, as the node sent it.
        truth: as a perfect camera would have given it, None if unknown.

    """

    row: FaceRow
    before: Picture
    after: Picture
    truth: Picture | None


@dataclass(frozen=True)
class FrameSample:
    """One frame with its pictures.

    Attributes:
        row: what became of it.
        picture: (H, W, 3) uint8 BGR from the camera, None where it cannot be decoded.
        faces: its crops.

    """

    row: FrameRow
    picture: Picture | None
    faces: list[FaceSample]


def measure(
    log: ReplayLog, rows: Sequence[FrameRow], truth_topic: str | None
) -> Iterator[FrameSample]:
    """Go through the frames of all passes, in order.

    "Before" is cut out of the played bag by the very transform that the node used, as it
    reports it, so before, after and truth show the same pixels.

    Args:
        log: of the replay.
        rows: from `collect_frames`.
        truth_topic: undegraded images with the same header stamps, or None.

    Raises:
        BagError: a bag cannot be read, or has no such topic.
        ReplayError: the truth is of another size than the images.

    """
    with BagReader(log.plan.recording) as recording:
        crops = StampFinder(recording, FACE_TOPIC)
        for place in range(len(log.passes)):
            mine = [row for row in rows if row.number == place]
            with BagReader(log.plan.bag) as bag:
                yield from _measure_pass(bag, log.topic, truth_topic, mine, crops)


def _measure_pass(
    bag: BagReader,
    topic: str,
    truth_topic: str | None,
    rows: Sequence[FrameRow],
    crops: StampFinder,
) -> Iterator[FrameSample]:
    if truth_topic is not None and truth_topic not in bag.topics:
        raise BagError(f"'{bag.path}' has no topic {truth_topic!r} with the truth")
    truths = None if truth_topic is None else StampFinder(bag, truth_topic)
    before: dict[int, tuple[float, FaceSample]] = {}
    decoder = image_decoder()
    for row, message in zip(rows, bag.messages(topic)):
        picture = truth = None
        try:
            picture = decode_image(message, decoder if row.outcome == PROCESSED else None)
        except BagError:
            # The node has rejected it as well; that is in the table.
            yield FrameSample(row, None, [])
            continue
        # For every frame, so that those of dropped ones do not pile up.
        ideal = [] if truths is None else truths.take(row.frame.bag_stamp_ns)
        if ideal and row.faces:
            truth = decode_image(ideal[0])
            if truth.shape != picture.shape:
                raise ReplayError(
                    f'the truth on {truth_topic} is {truth.shape[1]}x{truth.shape[0]}, the'
                    f' images are {picture.shape[1]}x{picture.shape[0]}'
                )
        outputs = crops.take(row.frame.stamp_ns, row.faces) if row.faces else []
        faces = []
        for slot, (entry, output) in enumerate(zip(row.entries, outputs)):
            after = decode_image(output)
            sample = _measure_face(row, slot, entry, picture, truth, after, before)
            before[entry.track_id] = (row.time_s, sample)
            faces.append(sample)
        yield FrameSample(row, picture, faces)


def _measure_face(
    row: FrameRow,
    slot: int,
    entry: FaceEntry,
    picture: Picture,
    truth: Picture | None,
    after: Picture,
    earlier: Mapping[int, tuple[float, FaceSample]],
) -> FaceSample:
    if entry.affine is None:
        raise ReplayError(
            f'the node does not say where the face in frame {row.frame.index} is: replay needs'
            ' the node of the same version'
        )
    size = after.shape[0]
    crop = warp_crop(picture, entry.affine, size)
    ideal = None if truth is None else warp_crop(truth, entry.affine, size)
    time_s, last = earlier.get(entry.track_id, (0.0, None))
    # After a longer pause the face is another picture; that would not be flicker.
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
    return FaceSample(measured, crop, after, ideal)
