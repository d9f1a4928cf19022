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

"""Chooses between the INT8 and the FP32 file of a shipped network by what their cards measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfrnet_ros.vision.engine.cpu import cpu_kind
from cfrnet_ros.vision.engine.model_card import card_path
from cfrnet_ros.vision.engine.models import FAMILIES, resolve_model
from cfrnet_ros.vision.engine.provider_records import CPU, Provider

#: PSNR in dB between the outputs of INT8 and FP32 that a file must reach in every cycle measured.
LEAST_DB = 45.0


@dataclass(frozen=True)
class PrecisionChoice:
    """The file that stands for a network, and why.

    Attributes:
        model: Path of the file.
        reason: Sentence that says why this precision was taken; empty if the parameter `model`
            names the file.

    """

    model: Path
    reason: str


def choose_precision(name_or_path: str, provider: Provider, cpu: str = '') -> PrecisionChoice:
    """Choose the file of a network for a provider.

    On the CPU, where FP32 is at most a few times slower, INT8 is taken only if its card promises
    faces like those of FP32 on this kind of CPU. Other providers take the precision that runs best
    on them.

    Args:
        name_or_path: Value of the parameter `model`, as `models.resolve_model` takes it.
        provider: Provider that will run the model.
        cpu: Kind of CPU as `cpu.cpu_kind` describes it; empty for the one in use.

    Returns:
        File and reason.

    Raises:
        ModelError: The model does not exist.

    """
    model = resolve_model(name_or_path, provider.precision)
    if name_or_path.strip() not in FAMILIES:
        return PrecisionChoice(model, '')
    stated = _card(model)
    if provider != CPU or stated.get('precision') != 'int8':
        return PrecisionChoice(model, f'{provider.name} runs {provider.precision.upper()} best')
    objection, figures = _judge(stated, cpu or cpu_kind())
    if not objection:
        return PrecisionChoice(model, f'INT8 is {figures} (at least {LEAST_DB} dB wanted)')
    exact = resolve_model(name_or_path, 'fp32')
    return PrecisionChoice(exact, f'FP32, because INT8 {objection}')


def _judge(card: Mapping[str, Any], cpu: str) -> tuple[str, str]:
    """Return what speaks against an INT8 file, '' if nothing does, and its distance from FP32."""
    sums = card.get('integer_sums', {})
    if 'without VNNI' in cpu and not sums.get('same_on_every_cpu', False):
        return f'adds up beyond 16 bits on this CPU ({cpu})', ''
    measured = card.get('training', {}).get('int8_against_fp32', {}).get('to_fp32_db', [])
    if not measured:
        return 'has no figures in its model card', ''
    figures = ' / '.join(f'{value:.1f}' for value in measured)
    cycles = ' / '.join(str(k + 1) for k in range(len(measured)))
    text = f'{figures} dB from FP32 at k = {cycles}'
    if min(measured) < LEAST_DB:
        return f'is {text} by its model card, and at least {LEAST_DB} dB are wanted', text
    return '', text


def _card(model: Path) -> Mapping[str, Any]:
    """Return a card's content; `load_card` reports one that cannot be read."""
    try:
        content = json.loads(card_path(model).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
