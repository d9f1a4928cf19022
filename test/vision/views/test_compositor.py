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

"""Restored faces are blended into their place in the frame without visible borders."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import Frame, blurred, dimmed, gray_bgr, resized, rotation, warped

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.preprocessing.align import align_face
from cfrnet_ros.vision.types import Face, Restoration, RestoredFace
from cfrnet_ros.vision.views.compositor import blend_faces, feather_mask, match_light
from cfrnet_ros.vision.views.debug_view import draw_debug
from cfrnet_ros.vision.views.grain import grain_of


def restored(frame: Frame, face: Face, crop: Frame | None = None, size: int = 256) -> RestoredFace:
    aligned, affine = align_face(frame, face.landmarks, size)
    return RestoredFace(
        face, aligned, affine, Restoration(aligned if crop is None else crop, 1, (1.0,), (0.0,))
    )


def psnr(one: Frame, other: Frame) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))


def roi(face: Face, frame: Frame) -> tuple[slice, slice]:
    x0, y0, x1, y1 = np.clip(face.box, 0, None).astype(int)
    return slice(y0, min(y1, frame.shape[0])), slice(x0, min(x1, frame.shape[1]))


@pytest.mark.parametrize('angle', [0, 17, -30])
@pytest.mark.parametrize('scale', [0.6, 1.0, 1.7, 3.0])
def test_an_unrestored_crop_leaves_the_frame_unchanged(
    detector: YuNetDetector, portrait: Frame, angle: float, scale: float
) -> None:
    turned = warped(portrait, rotation(222, 122, angle, 1), 512, 512)
    frame = resized(turned, round(512 * scale), round(512 * scale))
    face = detector.detect(frame)[0]
    item = restored(frame, face)
    out = blend_faces(frame, [item])
    area = roi(face, frame)
    assert psnr(out[area], frame[area]) > 38
    assert abs(float(out[area].mean()) - float(frame[area].mean())) < 0.2
    # The face is not shifted: no other position fits better.
    a, b = out[area].astype(np.float32), frame[area].astype(np.float32)
    (dx, dy), _ = cv2.phaseCorrelate(a.mean(axis=2), b.mean(axis=2))
    assert abs(dx) < 0.05
    assert abs(dy) < 0.05


def test_the_input_frame_and_the_rest_of_the_output_are_unchanged(
    detector: YuNetDetector, portrait: Frame
) -> None:
    before = portrait.copy()
    face = detector.detect(portrait)[0]
    out = blend_faces(portrait, [restored(portrait, face, np.zeros((256, 256, 3), np.uint8))])
    assert np.array_equal(portrait, before)
    assert not np.array_equal(out, portrait)
    assert np.array_equal(out[300:], portrait[300:])
    assert np.array_equal(blend_faces(portrait, []), portrait)


def test_detail_of_the_restored_crop_arrives(detector: YuNetDetector, portrait: Frame) -> None:
    soft = blurred(portrait, 4)
    face = detector.detect(portrait)[0]
    sharp, _ = align_face(portrait, face.landmarks, 256)
    out = blend_faces(soft, [restored(soft, face, sharp)])
    area = roi(face, portrait)
    assert psnr(out[area], portrait[area]) > psnr(soft[area], portrait[area]) + 6


@pytest.mark.parametrize(
    ('gain', 'tint'), [(1.6, (0, 0, 0)), (1.0, (-20, 5, 30)), (4.0, (0, 0, 0))]
)
def test_no_seam_when_the_restorer_changes_light_and_colour(
    detector: YuNetDetector, portrait: Frame, gain: float, tint: tuple[int, int, int]
) -> None:
    frame = dimmed(portrait, 0.8 / gain)
    face = detector.detect(frame)[0]
    aligned, _ = align_face(frame, face.landmarks, 256)
    lit = np.clip(aligned * gain + np.array(tint), 0, 255).astype(np.uint8)
    out = blend_faces(frame, [restored(frame, face, lit)])
    # The restorer changed only the light, so the frame must look as before.
    area = roi(face, frame)
    assert psnr(out[area], frame[area]) > 32
    step = (
        np.abs(np.diff(out.astype(int), axis=1)).max()
        - np.abs(np.diff(frame.astype(int), axis=1)).max()
    )
    assert step < 12


def noise_in(picture: Frame, clean: Frame, where: NDArray[np.bool_]) -> float:
    return float((picture.astype(float) - clean)[where].std())


def test_grain_continues_across_the_border(detector: YuNetDetector, portrait: Frame) -> None:
    clean = blurred(portrait, 1.5)
    face = detector.detect(clean)[0]
    noise = np.random.default_rng(0).normal(0, 10, clean.shape)
    frame = np.clip(clean + noise, 0, 255).astype(np.uint8)
    # A perfect restoration is the crop without the noise.
    smooth, affine = align_face(clean, face.landmarks, 256)
    item = RestoredFace(
        face, align_face(frame, face.landmarks, 256)[0], affine, Restoration(smooth, 1, (), ())
    )
    out = blend_faces(frame, [item])
    share = np.asarray(
        cv2.warpAffine(
            feather_mask(256), affine, (512, 512), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
    )
    # Pixels whose noise is clipped are excluded.
    fair = (clean.min(axis=2) > 35) & (clean.max(axis=2) < 220)
    around = noise_in(out, clean, fair & (share == 0))
    fading = noise_in(out, clean, fair & (share > 100) & (share < 155))
    middle = noise_in(out, clean, fair & (share == 255))
    assert 0.75 * around < fading < 1.1 * around
    assert middle < 0.4 * around
    # The same frame gives the same picture, and a clean one gets no grain.
    assert np.array_equal(out, blend_faces(frame, [item]))
    assert grain_of(clean) is None


def test_a_face_that_was_not_restored_is_left_alone(
    detector: YuNetDetector, portrait: Frame
) -> None:
    item = restored(portrait, detector.detect(portrait)[0], np.zeros((256, 256, 3), np.uint8))
    assert not np.array_equal(blend_faces(portrait, [item]), portrait)
    refused = replace(item, reason='too_dark')
    assert np.array_equal(blend_faces(portrait, [refused]), portrait)


def test_a_grey_frame_stays_grey(detector: YuNetDetector, portrait: Frame) -> None:
    frame = gray_bgr(portrait)
    face = detector.detect(frame)[0]
    coloured, _ = align_face(portrait, face.landmarks, 256)
    out = blend_faces(frame, [restored(frame, face, coloured)])
    assert int(np.ptp(out, axis=2).max()) <= 3
    assert psnr(out, frame) > 38


@pytest.mark.parametrize(
    'window', [(slice(80, 512), slice(0, 512)), (slice(0, 140), slice(0, 225))]
)
def test_faces_cut_by_the_border(
    detector: YuNetDetector, portrait: Frame, window: tuple[slice, slice]
) -> None:
    face = detector.detect(portrait)[0]
    corner = np.array([window[1].start, window[0].start], np.float32)
    frame = np.ascontiguousarray(portrait[window])
    cut = Face(face.box - np.tile(corner, 2), face.landmarks - corner, face.score)
    out = blend_faces(frame, [restored(frame, cut)])
    assert out.shape == frame.shape
    area = roi(cut, frame)
    assert psnr(out[area], frame[area]) > 38


def test_a_face_beyond_the_frame_changes_nothing(portrait: Frame) -> None:
    marks = np.array([[900, 900], [950, 900], [925, 925], [905, 950], [945, 950]], np.float32)
    face = Face(np.array([880, 880, 970, 970], np.float32), marks, 0.9)
    assert np.array_equal(blend_faces(portrait, [restored(portrait, face)]), portrait)


def test_overlapping_faces_whatever_their_order(detector: YuNetDetector, portrait: Frame) -> None:
    face = detector.detect(portrait)[0]
    near = Face(face.box + 40, face.landmarks + 40, 0.9)
    items = [restored(portrait, face), restored(portrait, near)]
    out = blend_faces(portrait, items)
    assert psnr(out, portrait) > 42
    smaller = Face(near.box - np.array([0, 0, 9, 9], np.float32), near.landmarks, 0.9)
    items[1] = restored(portrait, smaller, np.full((256, 256, 3), 128, np.uint8))
    assert np.array_equal(blend_faces(portrait, items), blend_faces(portrait, items[::-1]))


def test_mask_is_255_inside_and_0_at_the_edge() -> None:
    for size in (64, 256, 512):
        mask = feather_mask(size)
        middle = slice(size // 4, 3 * size // 4)
        assert int(mask[middle, middle].min()) > 230
        assert int(max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max())) == 0
        assert np.array_equal(mask, mask.T)
        assert np.array_equal(mask, mask[::-1])
        # The mask is smooth: no step is larger than the feather allows.
        assert int(np.abs(np.diff(mask.astype(int), axis=1)).max()) < 255 * 12 / size + 2


def test_light_is_matched_and_an_equal_crop_is_left_alone(portrait: Frame) -> None:
    crop = np.ascontiguousarray(portrait[:256, 96:352])
    assert psnr(match_light(crop, crop), crop) > 60
    dark = dimmed(crop, 0.2)
    matched = match_light(crop, dark)
    assert np.abs(matched.mean(axis=(0, 1)) - dark.mean(axis=(0, 1))).max() < 3


def test_debug_view_shows_face_inset_and_text(detector: YuNetDetector, two_faces: Frame) -> None:
    items = [restored(two_faces, face) for face in detector.detect(two_faces)]
    view = draw_debug(two_faces, items, ['k=2', 'total 33.1 ms'])
    assert view.shape == two_faces.shape
    for item in items:
        x, y = np.rint(item.face.landmarks[2]).astype(int)
        assert not np.array_equal(view[y, x], two_faces[y, x])
    assert (view[:60, :120] != two_faces[:60, :120]).any()
    # Very small frames do not fail either.
    for frame in (np.zeros((1, 1, 3), np.uint8), np.zeros((20, 300, 3), np.uint8)):
        assert draw_debug(frame, items, ['text']).shape == frame.shape
    with pytest.raises(ValueError, match='uint8'):
        draw_debug(np.zeros((4, 4), np.uint8), [])
    with pytest.raises(ValueError, match='uint8'):
        blend_faces(np.zeros((4, 4), np.uint8), [])
