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

"""The restorer applies one session k times to its own output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnx_models import (
    invert_channel_model,
    nan_model,
    rolled_bytes_model,
    save_model,
    scale_model,
    uint8_model,
)
from pictures import Frame

from cfrnet_ros.vision.detection.detector import default_model
from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.restoration.restorer import Restorer


def noise(size: int, seed: int = 0) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize('cycles', [1, 2, 3, 8])
def test_output_is_fed_back_k_times(tmp_path: Path, cpu: ProviderChoice, cycles: int) -> None:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.5), cpu, threads=1)
    crop = noise(64)
    result = restorer.restore(crop, cycles)
    expected = np.rint(crop.astype(np.float64) * 0.5**cycles)
    assert np.abs(result.crop.astype(float) - expected).max() <= 1
    assert result.cycles == len(result.cycle_ms) == len(result.residuals) == cycles
    # The k-th application halves the mean that the (k-1)-th left.
    mean = crop.mean() / 255
    assert result.residuals == pytest.approx([mean * 0.5 ** (k + 1) for k in range(cycles)])
    assert all(ms > 0 for ms in result.cycle_ms)


def test_calls_do_not_leak_into_each_other(tmp_path: Path, cpu: ProviderChoice) -> None:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.5), cpu, threads=1)
    first = restorer.restore(noise(64, 1), 3)
    kept = first.crop.copy()
    restorer.restore(noise(64, 2), 2)
    assert np.array_equal(first.crop, kept)
    assert np.array_equal(restorer.restore(noise(64, 1), 3).crop, kept)


def test_a_model_that_is_not_iterative_runs_once(tmp_path: Path, cpu: ProviderChoice) -> None:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.5, iterative=False), cpu)
    result = restorer.restore(noise(64), 4)
    assert result.cycles == len(result.residuals) == 1


def test_512_px_nhwc_bgr_symmetric_range(tmp_path: Path, cpu: ProviderChoice) -> None:
    restorer = Restorer(invert_channel_model(tmp_path / 'm.onnx', 512), cpu)
    restorer.warm_up()
    crop = noise(512)
    result = restorer.restore(crop, 1)
    assert np.array_equal(result.crop[..., 0], 255 - crop[..., 0])
    assert np.array_equal(result.crop[..., 1:], crop[..., 1:])
    change = np.abs(255 - 2.0 * crop[..., 0]).sum() / 255 / crop.size
    assert result.residuals[0] == pytest.approx(change, rel=1e-4)


def test_uint8_model(tmp_path: Path, cpu: ProviderChoice) -> None:
    restorer = Restorer(uint8_model(tmp_path / 'm.onnx'), cpu)
    crop = noise(48)
    assert np.array_equal(restorer.restore(crop, 1).crop, crop[..., ::-1])
    result = restorer.restore(crop, 2)
    assert np.array_equal(result.crop, crop)
    swapped = np.abs(crop.astype(float) - crop[..., ::-1]).mean() / 255
    assert result.residuals == pytest.approx([swapped, swapped])


@pytest.mark.parametrize('layout', ['NCHW', 'NHWC'])
@pytest.mark.parametrize('colour', ['BGR', 'RGB'])
def test_bytes_of_any_layout_and_colour_order(
    tmp_path: Path, cpu: ProviderChoice, layout: str, colour: str
) -> None:
    restorer = Restorer(rolled_bytes_model(tmp_path / 'm.onnx', layout, colour), cpu)
    crop = noise(48)
    rolled = crop[..., [1, 2, 0]] if colour == 'BGR' else crop[..., [2, 0, 1]]
    result = restorer.restore(crop, 1)
    assert np.array_equal(result.crop, rolled)
    # The value is exact, because it is the mean of whole numbers.
    assert result.residuals[0] * 255 * crop.size == pytest.approx(
        np.abs(rolled.astype(int) - crop).sum(), abs=1e-3
    )
    kept = result.crop.copy()
    assert np.array_equal(restorer.restore(crop, 3).crop, crop)
    assert np.array_equal(result.crop, kept)


def test_symbolic_batch_and_sides(tmp_path: Path, cpu: ProviderChoice) -> None:
    path = save_model(
        tmp_path / 'm.onnx',
        [helper.make_node('Identity', ['face'], ['restored'])],
        ['n', 3, 'h', 'w'],
        card={'size': 80, 'value_range': [0, 1], 'colour': 'RGB', 'iterative': True},
    )
    crop = noise(80)
    result = Restorer(path, cpu).restore(crop, 3)
    assert np.array_equal(result.crop, crop)
    assert result.residuals == (0.0, 0.0, 0.0)


def test_values_beyond_the_range_are_clipped_not_wrapped(
    tmp_path: Path, cpu: ProviderChoice
) -> None:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', -3.0), cpu)
    bright = np.full((64, 64, 3), 200, np.uint8)
    assert restorer.restore(bright, 1).crop.max() == 0
    assert restorer.restore(bright, 2).crop.min() == 255


def test_nan_is_an_error_not_a_picture(tmp_path: Path, cpu: ProviderChoice) -> None:
    restorer = Restorer(nan_model(tmp_path / 'm.onnx'), cpu)
    bright = np.full((64, 64, 3), 250, np.uint8)
    assert restorer.restore(bright, 1).cycles == 1
    with pytest.raises(ModelError, match=r'NaN or infinite values in cycle 2 on cpu'):
        restorer.restore(bright, 3)
    one_dark_pixel = bright.copy()
    one_dark_pixel[5, 7] = 0
    with pytest.raises(ModelError, match='cycle 1'):
        restorer.restore(one_dark_pixel, 1)
    # The next crop is restored normally.
    assert restorer.restore(bright, 1).residuals[0] < 1


@pytest.mark.parametrize('cycles', [0, 9, -1])
def test_cycles_out_of_range_are_refused(tmp_path: Path, cpu: ProviderChoice, cycles: int) -> None:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.5), cpu)
    with pytest.raises(ValueError, match='cycles must be from 1 to 8'):
        restorer.restore(noise(64), cycles)


def test_wrong_crops_are_refused(tmp_path: Path, cpu: ProviderChoice) -> None:
    restorer = Restorer(scale_model(tmp_path / 'm.onnx', 0.5), cpu)
    wrong: list[Any] = [noise(63), noise(64).astype(np.float32), noise(64)[..., 0]]
    for crop in wrong:
        with pytest.raises(ValueError, match=r'\(64, 64, 3\) uint8'):
            restorer.restore(crop, 1)


def test_a_model_that_changes_the_size_is_refused(tmp_path: Path, cpu: ProviderChoice) -> None:
    path = save_model(
        tmp_path / 'm.onnx',
        [helper.make_node('Resize', ['face', '', 'scales'], ['restored'], mode='nearest')],
        [1, 3, 64, 64],
        out_shape=[1, 3, 128, 128],
        constants={'scales': np.array([1, 1, 2, 2], np.float32)},
    )
    with pytest.raises(ModelError, match=r'keeps the size'):
        Restorer(path, cpu)


def test_a_detector_is_not_a_restorer(cpu: ProviderChoice) -> None:
    with pytest.raises(ModelError):
        Restorer(default_model(), cpu)


@pytest.mark.parametrize('precision', ['fp32', 'int8'])
def test_shipped_restorer_keeps_a_good_face(
    precision: str, cpu: ProviderChoice, portrait: Frame
) -> None:
    restorer = Restorer(resolve_model(precision), cpu)
    restorer.warm_up()
    crop = np.ascontiguousarray(portrait[:256, 96:352])
    result = restorer.restore(crop, 2)
    error = np.sqrt(np.mean((result.crop.astype(float) - crop) ** 2))
    assert 20 * np.log10(255 / error) > 20
    assert all(0 <= residual < 0.2 for residual in result.residuals)
