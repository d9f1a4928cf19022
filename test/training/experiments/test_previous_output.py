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

"""The network that reads its own last output: how it begins, and what its clips show."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from benchmarks.recurrent_restorer import TrackRestorer, Version  # noqa: E402
from cfrnet_ros.vision.engine.models import MODEL_DIR  # noqa: E402
from cfrnet_ros.vision.engine.providers import choose_providers  # noqa: E402
from cfrnet_ros.vision.restoration.restorer import Restorer  # noqa: E402
from training.data.crops import aligned  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.data.training_faces import TrainingFaces  # noqa: E402
from training.degradation import Degradation, Fusion, MotionPath, Noise, Shift  # noqa: E402
from training.experiments import previous_output  # noqa: E402
from training.experiments.recurrent.clips import (  # noqa: E402
    Past,
    camera_frames,
    carried,
    draw_camera,
    fused_clips,
    make_clips,
)
from training.experiments.recurrent.network import joined, read, recurrent_from  # noqa: E402
from training.export.shipped import read_model  # noqa: E402

SHIPPED = MODEL_DIR / 'cfrnet_256_fp32.onnx'


def test_begins_as_the_shipped_network_to_the_bit() -> None:
    shipped, network = read_model(SHIPPED)[0], recurrent_from(SHIPPED)
    generator = torch.Generator().manual_seed(0)
    now, before = torch.rand(2, 3, 64, 64, generator=generator), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        restored = network(joined(now, before, torch.rand(2, 1, 64, 64), 'previous'))
        assert torch.equal(restored, shipped(now))


def test_reads_only_what_it_is_given() -> None:
    network = recurrent_from(SHIPPED)
    torch.nn.init.normal_(network.stem.get_submodule('memory').weight, std=0.1)
    now, one, other = torch.rand(3, 1, 3, 64, 64).unbind()
    low, high = torch.full((1, 1, 64, 64), 0.1), torch.full((1, 1, 64, 64), 0.9)

    def changes(given: str, *, output: bool) -> bool:
        inputs = (one, other, low, low) if output else (one, one, low, high)
        with torch.no_grad():
            first = network(joined(now, inputs[0], inputs[2], given))
            return not torch.equal(first, network(joined(now, inputs[1], inputs[3], given)))

    assert changes('previous', output=True)
    assert changes('previous', output=False)
    assert not changes('map', output=True)
    assert changes('map', output=False)
    assert not changes('nothing', output=True)
    assert not changes('nothing', output=False)
    with pytest.raises(ValueError, match="not 'all'"):
        joined(now, one, low, 'all')


def test_a_clip_shows_one_camera() -> None:
    path = MotionPath(length=9.0, angle=0.3)
    fusion = Fusion(frames=4, moving=0.1, softness=1.0, misaligned=0.2, seed=5)
    plan = Degradation((path, Noise(0.05, seed=1)), fusion=fusion)
    frames = camera_frames(plan, 7)
    assert len(frames) == 7
    assert frames[0] == plan.steps
    kinds = [[type(step) for step in steps if not isinstance(step, Shift)] for steps in frames]
    assert kinds == [[MotionPath, Noise]] * 7
    blurs = [step for steps in frames for step in steps if isinstance(step, MotionPath)]
    noises = [step for steps in frames for step in steps if isinstance(step, Noise)]
    assert {dataclasses.replace(noise, seed=0) for noise in noises} == {Noise(0.05, seed=0)}
    assert len({noise.seed for noise in noises}) == 7
    assert len({blur.angle for blur in blurs}) == 7
    assert all(abs(blur.angle - path.angle) < 7 * 0.5 for blur in blurs)
    assert all(0.6 < blur.length / path.length < 1.6 for blur in blurs)
    with pytest.raises(ValueError, match='a plan with a fusion'):
        camera_frames(Degradation((path,)), 3)


def test_noise_low_light_infrared_jpeg_and_motion_are_drawn() -> None:
    rng = np.random.default_rng(1)
    labels = {step.label for _ in range(200) for step in draw_camera(rng).steps}
    assert {'noise', 'low light', 'infrared', 'jpeg', 'motion'} <= {one.lower() for one in labels}
    assert 'video' not in labels


def test_neighbouring_fused_crops_share_frames() -> None:
    face = torch.full((1, 3, 96, 96), 0.5)
    fusion = Fusion(frames=4, moving=1e-6, softness=0.1, misaligned=0.0, seed=9)
    crops = fused_clips(face, [Degradation((Noise(0.1, seed=3),), fusion=fusion)], 6)
    inside = (crops - 0.5)[:, 0, :, 24:72, 24:72].flatten(1)
    likeness = torch.corrcoef(inside)
    # Of four frames each, neighbours share three, and those four frames apart none.
    assert 0.5 < float(likeness[4, 5]) < 0.9
    assert abs(float(likeness[0, 5])) < 0.1
    assert float(inside.std()) < 0.7 * 0.1


def test_a_moved_place_shows_something_else_in_the_last_output() -> None:
    output = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    moved = torch.zeros(2, 1, 64, 64)
    moved[..., 20:44, 20:44] = 1.0
    pasts = [Past((0.0, 0.0), (6.0, 0.0), other=False), Past((0.0, 0.0), (0.0, 0.0), other=True)]
    seen = carried(output, moved, pasts)
    still = (moved == 0).expand_as(output)
    torch.testing.assert_close(seen[still], output[still], rtol=0, atol=1e-4)
    torch.testing.assert_close(
        seen[0, :, 20:44, 20:44], output[0, :, 20:44, 14:38], rtol=0, atol=1e-4
    )
    torch.testing.assert_close(
        seen[1, :, 20:44, 20:44], output[0, :, 20:44, 20:44], rtol=0, atol=1e-4
    )


def test_clips_depend_on_their_key_alone(faces: Path) -> None:
    source = TrainingFaces(faces)
    one, again = (make_clips(source, (3, 7), 2, 64, 3) for _ in range(2))
    assert torch.equal(one.fused, again.fused)
    assert one.pasts == again.pasts
    assert one.fused.shape == (3, 2, 3, 64, 64)
    assert one.newest.shape == (2, 1, 64, 64)
    assert float(one.newest.min()) > 0
    assert float(one.newest.max()) <= 1
    assert not torch.equal(one.fused, make_clips(source, (3, 8), 2, 64, 3).fused)


def test_a_run_trains_and_goes_on_from_its_checkpoint(
    tmp_path: Path, faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(*arguments: object) -> None:
        words = ['previous_output', '--data', faces, '--out', tmp_path, *arguments]
        monkeypatch.setattr(sys, 'argv', [str(word) for word in words])
        previous_output.main()

    monkeypatch.setattr(previous_output, 'CLIPS', 2)
    monkeypatch.setattr(previous_output, 'CROP', 64)
    monkeypatch.setattr(previous_output, 'SAVE_EVERY', 1)
    monkeypatch.setattr(previous_output, 'rate_at', lambda step, steps: 1.0 if step < 1 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command('--given', 'previous', '--steps', 2)
    network, state = read(tmp_path)
    assert state['step'] == 1
    assert float(network.stem.get_submodule('memory').weight.detach().abs().max()) > 0
    monkeypatch.setattr(previous_output, 'rate_at', lambda step, steps: 1.0)
    command('--given', 'previous', '--steps', 2)
    assert read(tmp_path)[1]['windows'] == 4
    steps = {line.split(',')[0] for line in (tmp_path / 'train.csv').read_text().splitlines()[1:]}
    assert steps == {'0', '1'}
    with pytest.raises(SystemExit, match='a run of other options'):
        command('--given', 'nothing', '--steps', 2)


def test_on_a_track_the_untrained_network_restores_as_the_node_does(faces: Path) -> None:
    restorer = Restorer(SHIPPED, choose_providers('cpu'), 1)
    track = TrackRestorer(Version(recurrent_from(SHIPPED), 'previous'), restorer.card.size)
    half = restorer.card.size // 2
    gain = np.full((half, half), 0.2, np.float32)
    for light in (1.0, 0.4):
        # The second crop is dark, and both brighten it.
        crop = (light * aligned(read_manifest(faces, 'val')[0])).astype(np.uint8)
        wanted = restorer.restore(crop, 1).crop
        assert np.abs(track(crop, gain).astype(int) - wanted).max() <= 1
