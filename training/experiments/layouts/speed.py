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

"""Milliseconds a cycle of every layout, FP32 and INT8, through ONNX Runtime."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from training.data.crops import SIZE
from training.export.camera_format import FloatPlanes, fold
from training.export.equalise import equalise
from training.export.faces import DegradedFace
from training.export.fp32 import INPUT, OUTPUT, check_against_pytorch, write_onnx
from training.export.quantise import METHODS, calibration_inputs, quantise, write_quantised
from training.networks.parts import Restorer

#: Faces on which each FP32 file is checked against PyTorch.
CHECKED_FACES = 2


@dataclass(frozen=True)
class CycleTime:
    """Times of one cycle over the rounds.

    Attributes:
        median_ms: Median in milliseconds.
        min_ms: Shortest in milliseconds.

    """

    median_ms: float
    min_ms: float


def export(
    network: Restorer, layout: str, folder: Path, faces: list[DegradedFace]
) -> dict[str, Path]:
    """Write ``<layout>_fp32.onnx`` and ``<layout>_int8.onnx``.

    Args:
        network: Trained network.
        layout: Name of the layout.
        folder: Folder that the files are written to.
        faces: Faces of the training split, which calibrate the INT8 model.

    Returns:
        The two files, by precision. Like those that ship, the INT8 one takes and gives
        bytes, the FP32 one floats.

    """
    files = {p: folder / f'{layout}_{p}.onnx' for p in ('fp32', 'int8')}
    example = torch.zeros(1, 3, SIZE, SIZE)
    crops = [face.degraded for face in faces]
    write_onnx(FloatPlanes(network, clip=True), example, files['fp32'])
    check_against_pytorch(files['fp32'], network, crops[:CHECKED_FACES])
    open_ended = folder / f'{layout}_open.onnx'
    write_onnx(FloatPlanes(fold(network), clip=False), example, open_ended)
    inputs = calibration_inputs(open_ended, crops, 'BGR')
    equalise(open_ended, open_ended, inputs)
    write_quantised(quantise(open_ended, inputs, METHODS['minmax']), files['int8'], as_bytes=True)
    open_ended.unlink()
    return files


def agreement(files: Mapping[str, Path], faces: list[DegradedFace]) -> float:
    """Return the PSNR in dB between the INT8 and the FP32 model's first cycle, over all faces."""
    sessions = {name: _session(path) for name, path in files.items()}
    squares = []
    for face in faces:
        planes = face.degraded[None, ..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255.0
        wanted = sessions['fp32'].run([OUTPUT], {INPUT: np.ascontiguousarray(planes)})[0]
        given = sessions['int8'].run([OUTPUT], {INPUT: face.degraded[None]})[0]
        given = given[..., ::-1].transpose(0, 3, 1, 2) / 255.0
        squares.append(float(np.mean((given - wanted) ** 2)))
    return round(float(-10.0 * np.log10(np.mean(squares))), 1)


def time_all(
    files: Mapping[str, Mapping[str, Path]], rounds: int
) -> dict[str, dict[str, CycleTime]]:
    """Time one cycle of every file in turn, on one thread.

    The time is that which the thread spends computing, not what passes: other programs
    on the machine then cost little more than their share of the caches.

    Args:
        files: ONNX files by layout and precision.
        rounds: Number of runs of each file.

    Returns:
        Times by layout and precision.

    """
    runs = {
        (layout, precision): (_session(path), _example(precision))
        for layout, both in files.items()
        for precision, path in both.items()
    }
    times: dict[tuple[str, str], list[float]] = {name: [] for name in runs}
    for turn in tqdm(range(rounds + 1), desc='timing', unit='round'):
        for name, (session, example) in runs.items():
            begin = time.thread_time()
            session.run([OUTPUT], {INPUT: example})
            if turn > 0:  # the first allocates
                times[name].append((time.thread_time() - begin) * 1e3)
    figures: dict[str, dict[str, CycleTime]] = {}
    for (layout, precision), values in times.items():
        figures.setdefault(layout, {})[precision] = CycleTime(
            round(float(np.median(values)), 2), round(min(values), 2)
        )
    return figures


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def _example(precision: str) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    if precision == 'int8':
        return rng.integers(0, 256, (1, SIZE, SIZE, 3), dtype=np.uint8)
    return rng.random((1, 3, SIZE, SIZE), dtype=np.float32)
