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

"""Finding the INT8 model: every calibration, then learning from the best of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from cfrnet_ros.vision.engine.precision import LEAST_DB
from training.export.compare import LPIPS_LIMIT, PSNR_LIMIT_DB
from training.export.learning import Learning, learn
from training.export.quantise import METHODS, chains_of, quantise

#: What `Comparison.measure` returns of a model.
Trial = dict[str, Any]


@dataclass(frozen=True)
class Int8Model:
    """The INT8 model that is kept.

    Attributes:
        model: QDQ graph between float planes.
        name: Name of the calibration, and whether the model learned afterwards.
        trials: Figures of every model that was tried, by name.

    """

    model: onnx.ModelProto
    name: str
    trials: dict[str, Trial]

    @property
    def figures(self) -> Trial:
        """Figures of the model that is kept."""
        return self.trials[self.name]


def find_int8(
    floats: Path,
    carrying: Sequence[str],
    inputs: Sequence[NDArray[np.uint8]],
    learners: Sequence[NDArray[np.uint8]],
    colour: str,
    methods: Sequence[str],
    learning: Learning,
    measure: Callable[[onnx.ModelProto], Trial],
) -> Int8Model:
    """Calibrate in several ways, let the best learn, and measure all.

    Args:
        floats: Path of the equalised float32 model between planes, without a clip.
        carrying: Names of the tensors that carry the picture, as `equalise` returns them.
        inputs: Inputs to find the ranges with, as `calibration_inputs` returns them.
        learners: Faces to learn with, (N, N, 3) uint8 BGR; not used without steps.
        colour: Order of the channels that the model takes, 'BGR' or 'RGB'.
        methods: Names of `METHODS` to try.
        learning: Settings of the learning; without steps the best calibration is kept.
        measure: Function that compares a QDQ model with FP32, see `Comparison.measure`.

    Returns:
        The best calibration, or what it learned if that loses less, see `choose`.

    """
    trials: dict[str, Trial] = {}
    models: dict[str, onnx.ModelProto] = {}
    for method in tqdm(methods, desc='calibrations', unit='method'):
        models[method] = quantise(floats, inputs, METHODS[method], carrying)
        trials[method] = measure(models[method])
    best = choose(trials)
    if learning.steps:
        learned = onnx.ModelProto()
        learned.CopyFrom(models[best])
        learn(learned, floats, chains_of(floats, learners, colour), learning)
        name = f'{best}, learned'
        models[name], trials[name] = learned, measure(learned)
        best = choose({best: trials[best], name: trials[name]})
    return Int8Model(models[best], best, trials)


def choose(trials: dict[str, Trial]) -> str:
    """Return the name of the model that loses least against FP32.

    What counts is the largest loss at any k, of PSNR or of LPIPS, in shares of their limits; a
    figure that is better than FP32's is no loss. The nearest to FP32 in decibels is not always it:
    a grain that FP32 does not have is few decibels, and on a face that was smooth a whole limit of
    LPIPS; and a model that learned to give FP32's outputs can give a smoother mean of them. Models
    that the node would not take for FP32 (`precision.LEAST_DB`) come last.

    Args:
        trials: Figures of each model by name, as `Comparison.measure` returns them.

    """

    def lost(name: str) -> tuple[bool, float]:
        trial = trials[name]
        loss = max(
            -min(trial['psnr_change_db']) / PSNR_LIMIT_DB, max(trial['lpips_change']) / LPIPS_LIMIT
        )
        return min(trial['to_fp32_db']) < LEAST_DB, loss

    return min(trials, key=lost)
