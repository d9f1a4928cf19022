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

"""The network of the eye guard: its samples, its fit and its file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')
pytest.importorskip('ai_edge_litert', reason='the labels come from a LiteRT network')

from cfrnet_ros.vision.quality.eye_openness import EyeOpennessMeter  # noqa: E402
from cfrnet_ros.vision.quality.eye_patches import MODEL, PATCH_SIZE, eye_patches  # noqa: E402
from training.critics.eye_network import EyeNetwork  # noqa: E402
from training.data.crops import aligned  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.eyes.export import export_eyes  # noqa: E402
from training.eyes.fit import fit, jittered, measure_errors  # noqa: E402
from training.eyes.samples import SPARE, EyeSamples, eye_strips, make_samples  # noqa: E402


@pytest.fixture(scope='module', autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads wait for each other at every one of the many small operators."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def samples(faces: Path) -> EyeSamples:
    return make_samples(read_manifest(faces, 'train'), per_face=12, seed=1)


def test_samples_are_open_shut_and_in_between(samples: EyeSamples) -> None:
    assert len(samples.strips) == len(samples.openness) == 6 * 12
    assert samples.strips.shape[1:] == (2, PATCH_SIZE[1] + 2 * SPARE, PATCH_SIZE[0] + 2 * SPARE)
    both = samples.openness.mean(axis=1)
    assert (both < 0.05).any()
    assert (both > 0.2).any()
    assert samples.openness.min() >= 0
    # A wink leaves one eye open.
    assert (np.abs(np.diff(samples.openness, axis=1)) > 0.1).any()


def test_the_same_seed_gives_the_same_samples(faces: Path, samples: EyeSamples) -> None:
    again = make_samples(read_manifest(faces, 'train')[:2], per_face=12, seed=1)
    assert np.array_equal(again.openness, samples.openness[: len(again.openness)])
    assert np.array_equal(again.strips, samples.strips[: len(again.strips)])


def test_training_sees_the_eyes_where_the_node_does(faces: Path) -> None:
    crop = aligned(read_manifest(faces, 'train')[3])
    strips = torch.from_numpy(eye_strips(crop))[:, None].float()
    seen = jittered(strips, None)[:, 0].numpy()
    for one, other in zip(seen, eye_patches(crop)):
        assert np.corrcoef(one.ravel(), other.ravel().astype(float))[0, 1] > 0.98


def test_a_fit_learns_the_openness_and_its_file_measures_the_same(
    samples: EyeSamples, tmp_path: Path
) -> None:
    untrained = measure_errors(EyeNetwork().eval(), samples)
    network = fit(samples, steps=60, seed=2, log_every=60)
    trained = measure_errors(network, samples)
    assert trained.mean_abs < min(0.6 * untrained.mean_abs, 0.12)
    meter = EyeOpennessMeter(export_eyes(network, tmp_path / 'eyes.onnx'))
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(eye_patches(crop))[:, None].float()).numpy()
    (found,) = meter.measure([crop])
    assert found.ratio == pytest.approx(expected[:, 0], abs=1e-4)
    assert found.sigma == pytest.approx(expected[:, 1], abs=1e-4)


def test_the_shipped_file_is_that_of_its_card() -> None:
    import hashlib

    card = json.loads(MODEL.with_suffix('.json').read_text(encoding='utf-8'))
    assert card['sha256'] == hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert card['parameters'] == sum(p.numel() for p in EyeNetwork().parameters())
