"""What holds for any input: alignment, encodings against a reference, tracker and budget."""

from __future__ import annotations

import math
from array import array

import numpy as np
import pytest
from fuzzing import counted, fuzz
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.encodings import ENCODINGS
from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform
from cfrnet_ros.vision.restoration.budget import CycleBudget
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import Face

SIZE = 256
TURN = st.floats(-math.pi, math.pi)
SCALE = st.floats(0.05, 20)
SHIFT = st.floats(-2000, 2000)


def moved(
    points: NDArray[np.float64], turn: float, scale: float, x: float, y: float
) -> NDArray[np.float64]:
    """Turn (N, 2) points by an angle in radians, scale and shift them."""
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    return points @ np.array([[c, s], [-s, c]]) + [x, y]


# -- alignment


@fuzz()
@given(TURN, SCALE, SHIFT, SHIFT)
@counted
def test_a_face_that_is_the_template_moved_is_aligned_exactly(
    turn: float, scale: float, x: float, y: float
) -> None:
    wanted = DEFAULT_TEMPLATE * SIZE - 0.5
    affine = similarity_transform(moved(wanted, turn, scale, x, y), SIZE)
    back = moved(wanted, turn, scale, x, y) @ affine[:, :2].T + affine[:, 2]
    assert back == pytest.approx(wanted, abs=1e-4)
    # A similarity keeps angles: its columns are orthogonal and of one length.
    assert affine[0, 0] == pytest.approx(affine[1, 1], rel=1e-6)
    assert affine[0, 1] == pytest.approx(-affine[1, 0], rel=1e-6, abs=1e-9)


@fuzz()
@given(
    st.lists(st.tuples(SHIFT, SHIFT), min_size=5, max_size=5), TURN, st.floats(0.2, 5), SHIFT, SHIFT
)
@counted
def test_a_moved_face_gives_the_same_crop(
    points: list[tuple[float, float]], turn: float, scale: float, x: float, y: float
) -> None:
    face = np.array(points)
    try:
        affine = similarity_transform(face, SIZE)
        other = similarity_transform(moved(face, turn, scale, x, y), SIZE)
    except ValueError:
        # Points that coincide or do not resemble a face at all are refused.
        return
    # Where the fit is nearly degenerate its direction is not determined.
    assume(np.hypot(*affine[:, 0]) > 1e-3)
    crop = face @ affine[:, :2].T + affine[:, 2]
    again = moved(face, turn, scale, x, y) @ other[:, :2].T + other[:, 2]
    assert again == pytest.approx(crop, abs=1e-2)


# -- encodings, written down a second time from their definitions


def reference(encoding: str, rows: NDArray[np.uint8], width: int) -> NDArray[np.float64] | None:
    """Return the (H, W, 3) BGR image of 8-bit samples; None for an encoding without a reference.

    Args:
        encoding: Name of the encoding.
        rows: (H, step) uint8 rows of the image, with padding.
        width: Width of the image in pixels.

    """
    height = rows.shape[0]
    channels = {'bgr8': 'bgr', 'rgb8': 'rgb', 'bgra8': 'bgra', 'rgba8': 'rgba'}
    channels |= {'8UC3': 'bgr', '8UC4': 'bgra'}
    if encoding in channels:
        order = channels[encoding]
        pixels = rows[:, : width * len(order)].reshape(height, width, len(order))
        return np.stack([pixels[..., order.index(c)] for c in 'bgr'], axis=-1).astype(float)
    if encoding in ('mono8', '8UC1', 'grey', 'y8'):
        return np.repeat(rows[:, :width, None], 3, axis=2).astype(float)
    places = {'uyvy': 'uyvy', 'yuv422': 'uyvy', 'uyvy422': 'uyvy', 'yvyu': 'yvyu'}
    places |= dict.fromkeys(('yuyv', 'yuv422_yuy2', 'yuy2', 'yuyv422'), 'yuyv')
    if encoding in places:
        order = places[encoding]
        groups = rows[:, : 2 * width].reshape(height, width // 2, 4).astype(float)
        first, second = (i for i, letter in enumerate(order) if letter == 'y')
        y = np.stack([groups[..., first], groups[..., second]], axis=-1).reshape(height, width)
        u, v = (np.repeat(groups[..., order.index(c)], 2, axis=1) for c in 'uv')
        return bt601(y, u, v)
    return None


def bt601(
    y: NDArray[np.float64], u: NDArray[np.float64], v: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Convert Y of 16..235 and U, V of 16..240 to BGR, by ITU-R BT.601."""
    luma, cb, cr = 255 / 219 * (y - 16), (u - 128) * 255 / 224, (v - 128) * 255 / 224
    blue, red = luma + 1.772 * cb, luma + 1.402 * cr
    green = luma - (0.114 * 1.772 * cb + 0.299 * 1.402 * cr) / 0.587
    return np.clip(np.stack([blue, green, red], axis=-1), 0, 255)


WITH_REFERENCE = sorted(
    name for name in ENCODINGS if reference(name, np.zeros((2, 64), np.uint8), 4) is not None
)


def test_most_encodings_of_one_plane_and_eight_bits_have_a_reference() -> None:
    eight = {
        name
        for name, encoding in ENCODINGS.items()
        if encoding.dtype == 'u1' and encoding.chroma is None and not name.startswith('bayer')
    }
    assert set(WITH_REFERENCE) == eight


@fuzz()
@given(
    st.sampled_from(WITH_REFERENCE),
    st.integers(1, 12),
    st.integers(1, 6),
    st.integers(0, 9),
    st.integers(0, 2**32 - 1),
)
@counted
def test_an_encoding_is_decoded_as_its_definition_says(
    name: str, width: int, height: int, padding: int, seed: int
) -> None:
    encoding = ENCODINGS[name]
    width *= encoding.pixel_group
    step = encoding.row_bytes(width) + padding
    rows = np.random.default_rng(seed).integers(0, 256, (height, step), np.uint8)
    exact = encoding.pixel_group == 1
    if not exact:
        # Of YUV only these values are defined; OpenCV cuts others off before it converts.
        rows = np.clip(rows, 16, 235)
    msg = Image(encoding=name, width=width, height=height, step=step)
    msg.data = array('B', rows.tobytes())
    wanted = reference(name, rows, width)
    assert wanted is not None
    # OpenCV rounds the coefficients of BT.601 to three digits.
    assert np.abs(ImageDecoder(10**6).decode(msg) - wanted).max() <= (0 if exact else 2.5)


@fuzz()
@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(4, 9), st.integers(4, 9))
@counted
def test_sixteen_bits_keep_their_order_in_either_byte_order(
    seed: int, big: bool, width: int, height: int
) -> None:
    samples = np.random.default_rng(seed).integers(0, 65536, (height, width), np.uint16)
    msg = Image(encoding='mono16', width=width, height=height, step=2 * width, is_bigendian=big)
    msg.data = array('B', samples.astype('>u2' if big else '<u2').tobytes())
    grey = ImageDecoder(10**6).decode(msg)
    assert (grey[..., 0] == grey[..., 1]).all()
    order = np.argsort(samples, axis=None, kind='stable')
    assert (np.diff(grey[..., 0].reshape(-1)[order].astype(int)) >= 0).all()


# -- tracker


@st.composite
def detections(draw: st.DrawFn) -> list[Face] | None:
    """Draw the faces of a frame of 160 x 120, None where the detector does not run."""
    if draw(st.integers(0, 3)) == 0:
        return None
    faces = []
    for _ in range(draw(st.integers(0, 3))):
        x, y = draw(st.integers(-20, 150)), draw(st.integers(-20, 110))
        side = draw(st.integers(1, 60))
        marks = (DEFAULT_TEMPLATE * side + [x, y]).astype(np.float32)
        box = np.array([x, y, x + side, y + side], np.float32)
        faces.append(Face(box, marks, draw(st.floats(0, 1))))
    return faces


@fuzz(0.5)
@given(
    st.lists(st.tuples(detections(), st.integers(-1000, 3000)), min_size=1, max_size=8),
    st.integers(0, 2**32 - 1),
)
@counted
def test_faces_of_a_frame_have_ids_of_their_own_and_none_comes_twice(
    frames: list[tuple[list[Face] | None, int]], seed: int
) -> None:
    tracker, rng, now, highest = FaceTracker(), np.random.default_rng(seed), 0.0, -1
    gray = rng.integers(0, 256, (120, 160), np.uint8)
    for found, step in frames:
        now += step / 1000
        faces = tracker.update(np.roll(gray, rng.integers(-2, 3), axis=1), found, now)
        ids = [face.track_id for face in faces]
        assert len(set(ids)) == len(ids)
        assert all(track_id >= 0 for track_id in ids)
        # New ids continue the numbering; others are those of earlier faces.
        fresh = sorted(track_id for track_id in ids if track_id > highest)
        assert not fresh or fresh[0] >= highest + 1
        highest = max([highest, *ids])
        areas = [face.area for face in faces]
        assert areas == sorted(areas, reverse=True)
        assert all(np.isfinite(face.box).all() for face in faces)
        assert tracker.active == len(faces)


# -- budget

MS = st.floats(0, 1e4)


@fuzz()
@given(
    st.lists(
        st.tuples(
            st.integers(1, 8),
            st.integers(0, 4),
            st.floats(0, 1e3),
            MS,
            st.lists(MS, max_size=8),
            st.one_of(st.none(), MS),
            MS,
        ),
        max_size=12,
    )
)
@counted
def test_the_budget_allows_one_cycle_to_those_asked_for(
    frames: list[tuple[int, int, float, float, list[float], float | None, float]],
) -> None:
    budget = CycleBudget()
    for asked, faces, limit_ms, spent_ms, cycle_ms, detect_ms, rest_ms in frames:
        allowed = budget.allow(asked, faces, limit_ms, spent_ms)
        assert 1 <= allowed <= asked
        if limit_ms == 0:
            assert allowed == asked
        budget.observe(cycle_ms, detect_ms, rest_ms)
        budget.observe_after(rest_ms)


@fuzz()
@given(st.floats(1, 100), st.floats(0, 50), st.integers(1, 3), st.floats(1, 1000))
@counted
def test_a_steady_load_ends_at_the_most_cycles_that_fit(
    cycle: float, rest: float, faces: int, limit: float
) -> None:
    budget = CycleBudget()
    allowed = budget.allow(8, faces, limit)
    for _ in range(60):
        budget.observe([cycle] * allowed * faces, None, rest)
        allowed = budget.allow(8, faces, limit)
    assert allowed == 1 or rest + allowed * faces * cycle <= limit
    # One more would not leave the margin of a tenth free.
    assert allowed == 8 or rest + (allowed + 1) * faces * cycle > 0.9 * limit * (1 - 1e-9)
