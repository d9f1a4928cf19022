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

"""The golden crops of a shipped model, through any engine that computes one cycle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.engine.golden import load_golden
from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.preprocessing.colour_noise import prepare_face

#: One cycle: (N, N, 3) float32 RGB in 0..1 in and out.
Cycle = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def run_golden(model: Path, cycle: Cycle) -> dict[str, Any]:
    """Restore the golden crops of a model as the node's self-test does.

    Args:
        model: Shipped file; its card names the golden crops and the limit.
        cycle: Function that computes one cycle.

    Returns:
        `db` (PSNR in dB from the FP32 reference by number of cycles, as text), `limit_db` and
        `passed`.

    Raises:
        ValueError: The model has no golden crops.

    """
    card = load_card(model)
    golden = load_golden(card)
    if golden is None:
        raise ValueError(f"'{model}' has no golden crops")
    crop = prepare_face(golden.crop) if card.expose else golden.crop
    state = crop[..., ::-1].astype(np.float32) / 255.0
    found: dict[str, float] = {}
    for number in range(1, max(golden.expected) + 1):
        state = np.clip(cycle(state), 0.0, 1.0)
        if number in golden.expected:
            shown = np.rint(state[..., ::-1] * 255.0).astype(np.uint8)
            found[str(number)] = round(float(cv2.PSNR(shown, golden.expected[number])), 1)
    return {
        'db': found,
        'limit_db': golden.limit_db,
        'passed': min(found.values()) >= golden.limit_db,
    }
