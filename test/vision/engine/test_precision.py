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

"""`model: auto` and `plain` take INT8 on a CPU only where its card promises FP32's faces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cfrnet_ros.vision.engine.models import resolve_model
from cfrnet_ros.vision.engine.precision import LEAST_DB, choose_precision
from cfrnet_ros.vision.engine.provider_records import CPU, PROVIDERS
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.restoration.trusted import load_trusted

VNNI, NO_VNNI = 'x86_64 with AVX-512 VNNI', 'x86_64 without VNNI'


def promise(model: Path, decibels: list[float], **sums: Any) -> None:
    """Let a card state other distances of INT8 from FP32."""
    path = model.with_suffix('.json')
    card = json.loads(path.read_text())
    card['training']['int8_against_fp32']['to_fp32_db'] = decibels
    card['integer_sums'].update(sums)
    path.write_text(json.dumps(card))


@pytest.mark.parametrize('cpu', [VNNI, NO_VNNI])
def test_the_main_network_runs_in_int8_on_either_kind_of_cpu(cpu: str) -> None:
    chosen = choose_precision('auto', CPU, cpu)
    assert chosen.model == resolve_model('int8')
    assert 'dB from FP32 at k = 1 / 2 / 3' in chosen.reason


def test_a_shipped_file_is_taken_by_what_its_card_says() -> None:
    for family, int8 in (('auto', 'int8'), ('plain', 'plain_int8')):
        card = json.loads(resolve_model(int8).with_suffix('.json').read_text())
        reached = min(card['training']['int8_against_fp32']['to_fp32_db'])
        precision = choose_precision(family, CPU, VNNI).model.stem.rpartition('_')[2]
        assert precision == ('int8' if reached >= LEAST_DB else 'fp32')


def test_an_int8_file_that_is_too_far_from_fp32_gives_way(installed: Path) -> None:
    promise(installed / 'cfrnet_plain_256_int8.onnx', [48.0, 46.0, 44.9])
    chosen = choose_precision('plain', CPU, VNNI)
    assert chosen.model == installed / 'cfrnet_plain_256_fp32.onnx'
    assert chosen.reason.startswith('FP32, because INT8 is 48.0 / 46.0 / 44.9 dB from FP32')
    promise(installed / 'cfrnet_plain_256_int8.onnx', [48.0, 46.0, 45.0])
    chosen = choose_precision('plain', CPU, VNNI)
    assert chosen.model == installed / 'cfrnet_plain_256_int8.onnx'


def test_sums_beyond_16_bits_count_only_without_vnni(installed: Path) -> None:
    promise(installed / 'cfrnet_256_int8.onnx', [49.0, 48.0, 47.0], same_on_every_cpu=False)
    assert choose_precision('auto', CPU, VNNI).model.stem == 'cfrnet_256_int8'
    chosen = choose_precision('auto', CPU, NO_VNNI)
    assert chosen.model.stem == 'cfrnet_256_fp32'
    assert 'adds up beyond 16 bits on this CPU (x86_64 without VNNI)' in chosen.reason


def test_other_providers_take_what_runs_best_on_them(installed: Path) -> None:
    promise(installed / 'cfrnet_plain_256_int8.onnx', [40.0, 38.0, 36.0])
    by_name = {provider.name: provider for provider in PROVIDERS}
    assert choose_precision('plain', by_name['qnn'], VNNI).model.stem == 'cfrnet_plain_256_int8'
    chosen = choose_precision('plain', by_name['cuda'], VNNI)
    assert chosen.model.stem == 'cfrnet_plain_256_fp32'
    assert chosen.reason == 'cuda runs FP32 best'


def test_a_precision_that_was_asked_for_is_taken(installed: Path) -> None:
    promise(installed / 'cfrnet_plain_256_int8.onnx', [40.0, 38.0, 36.0])
    chosen = choose_precision('plain_int8', CPU, NO_VNNI)
    assert chosen.model.stem == 'cfrnet_plain_256_int8'
    assert chosen.reason == ''


def test_the_loaded_restorer_tells_why_it_has_its_precision(installed: Path) -> None:
    promise(installed / 'cfrnet_plain_256_int8.onnx', [40.0, 38.0, 36.0])
    loaded = load_trusted('plain', choose_providers('cpu'), threads=1)
    assert loaded.restorer.card.precision == 'fp32'
    assert loaded.precision_reason.startswith('FP32, because INT8 is 40.0 / 38.0 / 36.0 dB')
    assert loaded.rejected == ()
