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

"""Pictures are read upright, whatever their form, and written back in that form."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pictures import Frame
from PIL import Image, ImageCms, ImageOps

from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.pictures import read_picture, write_picture
from cfrnet_ros.apps.media.whole_file import whole_file

ORIENTATION = 0x0112


def save(path: Path, bgr: Frame, orientation: int = 1, **options: Any) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[0x010F] = 'a camera'
    Image.fromarray(bgr[..., ::-1]).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_orientation_is_obeyed_and_not_written_again(
    tmp_path: Path, portrait: Frame, orientation: int
) -> None:
    path = save(tmp_path / 'a.png', portrait[:200], orientation)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))[..., ::-1]
    picture = read_picture(path)
    assert np.array_equal(picture.bgr, upright)
    assert write_picture(tmp_path / 'b.png', picture) == []
    with Image.open(tmp_path / 'b.png') as image:
        assert image.getexif().get(ORIENTATION, 1) == 1
        assert image.getexif()[0x010F] == 'a camera'
        assert np.array_equal(np.asarray(image)[..., ::-1], upright)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_orientation_of_16_bits_is_that_of_8_bits(
    tmp_path: Path, portrait: Frame, orientation: int
) -> None:
    eight = save(tmp_path / 'a.png', portrait[:200], orientation)
    deep = tmp_path / 'deep.png'
    cv2.imwrite(str(deep), portrait[:200].astype(np.uint16) * 257)
    # OpenCV writes no EXIF data, so its chunk is taken from the other file.
    chunk_at = eight.read_bytes().index(b'eXIf') - 4
    length = int.from_bytes(eight.read_bytes()[chunk_at : chunk_at + 4], 'big') + 12
    chunk = eight.read_bytes()[chunk_at : chunk_at + length]
    data = deep.read_bytes()
    begin = data.index(b'IDAT') - 4
    deep.write_bytes(data[:begin] + chunk + data[begin:])
    picture = read_picture(deep)
    assert picture.samples.dtype == np.uint16
    assert np.array_equal(picture.bgr, read_picture(eight).bgr)


def test_a_colour_profile_is_kept(tmp_path: Path, portrait: Frame) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    path = save(tmp_path / 'a.jpg', portrait, icc_profile=profile)
    write_picture(tmp_path / 'b.jpg', read_picture(path))
    with Image.open(tmp_path / 'b.jpg') as image:
        assert image.info['icc_profile'] == profile


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
@pytest.mark.parametrize('channels', [1, 3, 4])
def test_16_bits_change_only_where_the_picture_does(
    tmp_path: Path, suffix: str, channels: int
) -> None:
    rng = np.random.default_rng(1)
    shape = (40, 60) if channels == 1 else (40, 60, channels)
    samples = rng.integers(0, 65536, shape, np.uint16)
    samples[0, 0] = 65535
    cv2.imwrite(str(tmp_path / f'a{suffix}'), samples)
    picture = read_picture(tmp_path / f'a{suffix}')
    bgr = picture.bgr.copy()
    bgr[:20, :30] = 128
    assert write_picture(tmp_path / f'b{suffix}', picture.changed(bgr)) == []
    written = cv2.imread(str(tmp_path / f'b{suffix}'), cv2.IMREAD_UNCHANGED)
    assert written is not None
    assert written.dtype == np.uint16
    assert written.shape == shape
    assert np.array_equal(written[20:], samples[20:])
    assert np.array_equal(written[:, 30:], samples[:, 30:])
    colour = np.asarray(written, np.int64)[:20, :30].reshape(20, 30, -1)[..., :3]
    assert np.abs(colour - 128 * 257).max() <= 257
    if channels == 4:
        assert np.array_equal(written[..., 3], samples[..., 3])


def test_samples_of_12_bits_in_16_are_not_black(tmp_path: Path, portrait: Frame) -> None:
    infrared = np.asarray(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY), np.uint16) * 16
    infrared[0, 0] = 4095
    cv2.imwrite(str(tmp_path / 'a.png'), infrared)
    picture = read_picture(tmp_path / 'a.png')
    assert picture.white == 4095
    assert '12 bits' in picture.notes[0]
    assert abs(float(picture.bgr.mean()) - float(infrared.mean()) / 16) < 1
    assert int(picture.changed(np.full_like(picture.bgr, 255)).samples.max()) == 4095


def test_transparency_is_kept_or_its_loss_is_told(tmp_path: Path, portrait: Frame) -> None:
    alpha = np.zeros(portrait.shape[:2], np.uint8)
    alpha[50:] = 200
    rgba = np.dstack([portrait[..., ::-1], alpha])
    Image.fromarray(rgba).save(tmp_path / 'a.png')
    picture = read_picture(tmp_path / 'a.png')
    assert np.array_equal(picture.bgr, portrait)
    assert write_picture(tmp_path / 'b.png', picture) == []
    with Image.open(tmp_path / 'b.png') as image:
        assert np.array_equal(np.asarray(image), rgba)
    assert 'transparency' in write_picture(tmp_path / 'b.jpg', picture)[0]


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'CMYK', 'YCbCr'])
def test_other_colour_models_are_read(tmp_path: Path, portrait: Frame, mode: str) -> None:
    suffix = '.jpg' if mode in ('CMYK', 'YCbCr') else '.png'
    path = tmp_path / f'a{suffix}'
    Image.fromarray(portrait[..., ::-1]).convert(mode).save(path)
    picture = read_picture(path)
    assert picture.bgr.shape == portrait.shape
    error = np.abs(picture.bgr.astype(float).mean() - portrait.mean())
    assert error < 25
    assert (picture.samples.ndim == 2) == (mode in ('1', 'L', 'LA'))
    write_picture(tmp_path / 'b.png', picture.changed(picture.bgr))
    with Image.open(tmp_path / 'b.png') as image:
        assert image.mode in {'1': 'L', 'L': 'L', 'LA': 'LA'}.get(mode, 'RGB')


def test_damaged_pictures_are_refused_with_a_reason(tmp_path: Path, portrait: Frame) -> None:
    buffer = io.BytesIO()
    Image.fromarray(portrait).save(buffer, 'PNG')
    for name, data, reason in (
        ('text.png', b'no picture', 'not a picture'),
        ('empty.jpg', b'', 'not a picture'),
        ('cut.png', buffer.getvalue()[:3000], 'truncated'),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MediaError, match=reason):
            read_picture(tmp_path / name)
    with pytest.raises(MediaError, match='No such file'):
        read_picture(tmp_path / 'nowhere.png')
    Image.fromarray(portrait[..., 0].astype(np.float32)).save(tmp_path / 'float.tif')
    with pytest.raises(MediaError, match='32 bits'):
        read_picture(tmp_path / 'float.tif')


def test_a_file_that_could_not_be_finished_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / 'new' / 'a.png'

    def write_half() -> None:
        with whole_file(target) as part:
            part.write_bytes(b'half')
            assert part.suffix == '.png'
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(target.parent.iterdir()) == []
    with whole_file(target) as part:
        part.write_bytes(b'old')
    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_bytes() == b'old'
    assert list(target.parent.iterdir()) == [target]
