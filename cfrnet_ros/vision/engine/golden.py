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

"""Golden crops: inputs of a model, and the correct output of its FP32 file for them.

They are stored beside the model as one lossless picture: from left to right the input, then a panel
for each number of cycles that the card lists. Every panel is a square of the model's size and holds
four small faces side by side, so that one run of the network restores all four.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.engine.model_card import ModelCard
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.types import MAX_CYCLES

#: Ending of the picture's name, after the name of the network.
SUFFIX = '.golden.png'

#: Complete description in a card, shown in error messages.
EXAMPLE = '{"file": "restorer.golden.png", "sha256": "...", "cycles": [1, 3], "limit_db": 42.0}'


@dataclass(frozen=True)
class GoldenCrops:
    """Golden crops of a model: input, expected outputs and limit.

    Attributes:
        crop: (N, N, 3) uint8 BGR input, where N is the model's size.
        expected: (N, N, 3) uint8 BGR outputs of the FP32 file, by number of cycles.
        limit_db: Smallest PSNR in dB between an engine's output and the expected one at which the
            engine is trusted.

    """

    crop: NDArray[np.uint8]
    expected: Mapping[int, NDArray[np.uint8]]
    limit_db: float


def load_golden(card: ModelCard) -> GoldenCrops | None:
    """Load the golden crops that a card describes.

    Args:
        card: Card of the model, at the model's own size.

    Returns:
        Golden crops, or None if the card describes none.

    Raises:
        ModelError: The card's description is incomplete, or the picture is missing, has a digest
            other than the card's, or does not have as many panels as the card requires.

    """
    if not card.golden:
        return None
    where = f"the golden crops of '{card.file}'"
    cycles, limit = _described(card.golden, where)
    name = card.golden['file']
    if not name or name != PurePath(name).name or '\0' in name:
        raise ModelError(
            f'{where}: golden.file must be the name of a file beside the model, without a folder,'
            f' not {name!r}'
        )
    path = card.file.parent / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{where} cannot be read: {error}; fetch or export model, card and '{path.name}' "
            'together again'
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != card.golden['sha256'].lower():
        raise ModelError(
            f"{where}: '{path}' is not the picture that the card describes (sha256 "
            f'{digest[:12]}..., the card says {card.golden["sha256"][:12]}...); fetch or export '
            'model, card and picture together again'
        )
    sheet = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    shape = (card.size, card.size * (1 + len(cycles)), 3)
    if sheet is None or sheet.shape != shape:
        found = 'no picture' if sheet is None else f'{sheet.shape[1]} x {sheet.shape[0]} pixels'
        raise ModelError(
            f"{where}: '{path}' holds {found}, but an input and {len(cycles)} outputs of "
            f'{card.size} pixels side by side are needed; export the model again'
        )
    panels = [np.ascontiguousarray(p, np.uint8) for p in np.split(sheet, 1 + len(cycles), axis=1)]
    return GoldenCrops(panels[0], dict(zip(cycles, panels[1:])), limit)


def _described(stated: Mapping[str, Any], where: str) -> tuple[list[int], float]:
    """Check a card's description; return its numbers of cycles and its limit."""
    types: dict[str, Any] = {'file': str, 'sha256': str, 'cycles': list, 'limit_db': (int, float)}
    if any(not isinstance(stated.get(key), kind) for key, kind in types.items()):
        raise ModelError(f'{where}: the card must describe them like {EXAMPLE}, not {stated}')
    cycles = stated['cycles']
    numbers = all(isinstance(k, int) and 1 <= k <= MAX_CYCLES for k in cycles)
    if not cycles or not numbers or len(set(cycles)) < len(cycles):
        raise ModelError(
            f'{where}: golden.cycles must list different numbers of cycles from 1 to {MAX_CYCLES}, '
            f'not {cycles!r}'
        )
    return cycles, float(stated['limit_db'])
