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

"""In which precision a run computes, by what the CPU has and by what the config asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.critics.perceptual import weights_folder  # noqa: E402
from training.losses.weights import LossWeights  # noqa: E402
from training.run.config import RunConfig, load_config  # noqa: E402
from training.run.precision import (  # noqa: E402
    BFLOAT16_FLAGS,
    choose_precision,
    cpu_flags,
    listed_flags,
)
from training.run.trainer import Trainer  # noqa: E402

AVX2 = frozenset({'sse2', 'avx2', 'fma'})
AVX512 = AVX2 | {'avx512f', 'avx512_f', 'avx512_vnni'}
CPU, GPU = torch.device('cpu'), torch.device('cuda:1')


@pytest.mark.parametrize('flag', ['avx512_bf16', 'amx_bf16', 'bf16'])
def test_a_cpu_with_bfloat16_instructions_computes_in_it(flag: str) -> None:
    chosen = choose_precision('auto', CPU, AVX512 | {flag})
    assert chosen.bfloat16
    assert str(chosen) == f'bfloat16, for which this CPU has {flag}'


@pytest.mark.parametrize('flags', [AVX2, AVX512, frozenset({'asimd', 'fphp'}), frozenset()])
def test_a_cpu_without_them_computes_in_float32(flags: frozenset[str]) -> None:
    chosen = choose_precision('auto', CPU, flags)
    assert not chosen.bfloat16
    assert str(chosen) == 'float32, since this CPU has none of avx512_bf16, amx_bf16, bf16'


def test_a_gpu_does_not_depend_on_the_cpu_beside_it() -> None:
    assert choose_precision('auto', GPU, AVX2).bfloat16


@pytest.mark.parametrize('device', [CPU, GPU])
def test_the_config_forces_either(device: Any) -> None:
    assert choose_precision('bfloat16', device, AVX2).bfloat16
    forced = choose_precision('float32', device, {'avx512_bf16'})
    assert str(forced) == 'float32, as the config asks for'


def test_an_unknown_precision_is_refused_when_the_config_is_read(tmp_path: Path) -> None:
    (tmp_path / 'c.yaml').write_text('precision: float16')
    with pytest.raises(ValueError, match=r"c\.yaml: unknown precision 'float16'; known are auto"):
        load_config(tmp_path / 'c.yaml')
    (tmp_path / 'c.yaml').write_text('stages: [{from: 5, precision: float32}]')
    with pytest.raises(ValueError, match='cannot change'):
        load_config(tmp_path / 'c.yaml')


def test_flags_are_read_from_linux_listings_of_both_architectures(tmp_path: Path) -> None:
    x86, arm = tmp_path / 'x86', tmp_path / 'arm'
    x86.write_text('processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\nbugs\t\t: spectre_v1\n\n')
    arm.write_text('processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\nCPU part\t: 0xd4f\n')
    assert listed_flags(x86) == {'fpu', 'avx2', 'avx512_bf16'}
    assert listed_flags(arm) == {'fp', 'asimd', 'bf16', 'i8mm'}
    assert listed_flags(tmp_path / 'none') == frozenset()


@pytest.mark.skipif(not Path('/proc/cpuinfo').is_file(), reason='Linux lists the flags')
def test_pytorch_and_linux_agree_about_this_cpu() -> None:
    listed = listed_flags(Path('/proc/cpuinfo'))
    assert listed
    assert {f for f in BFLOAT16_FLAGS if f in cpu_flags()} == set(BFLOAT16_FLAGS) & listed


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_network_and_critic_compute_in_the_chosen_precision(
    precision: str, faces: Path, tmp_path: Path
) -> None:
    try:
        weights_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    loss = LossWeights(perceptual=(0.1,))
    config = RunConfig(steps=10, pixels=8192, crop=64, precision=precision, loss=loss)
    trainer = Trainer(config, faces, tmp_path, 'cpu')
    seen: list[Any] = []
    inside = trainer.network.get_submodule(trainer.network.stages[0])
    inside.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    try:
        terms = trainer.train_step()
    finally:
        trainer.source.close()
    assert set(seen) == {getattr(torch, precision)}
    assert terms['perceptual_1'] > 0
