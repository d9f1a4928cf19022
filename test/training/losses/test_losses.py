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

"""The terms of CCFP: each on its own line, and each doing what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from torch import Tensor, nn  # noqa: E402

from training.critics.discriminator import PatchDiscriminator, deceive_loss, judge_loss  # noqa: E402
from training.critics.eye_openness import EyeShift  # noqa: E402
from training.critics.face_view import STRAIGHT, View  # noqa: E402
from training.degradation import SAMPLERS, degrade, expose_batch, targets  # noqa: E402
from training.losses.ccfp import (  # noqa: E402
    Batch,
    Critics,
    LossWeights,
    balance,
    ccfp_loss,
    middle_band,
)

ONLY_PIXELS = LossWeights(activation=0.0)
CCFP = {
    'idempotence_clean': 0.5,
    'idempotence_restored': 0.25,
    'redegradation': 0.25,
    'redegradation_restored': 0.1,
}


class Identity(nn.Module):
    """Returns its input: the fixed point of everything, with a gradient to nothing."""

    def forward(self, x: Tensor, *, clip: bool = True) -> Tensor:
        return x.clamp(0, 1) if clip else x


class Shift(nn.Module):
    """Adds the same to every pixel: drifts further with every application."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x: Tensor, *, clip: bool = True) -> Tensor:
        return x + self.by


def batch(cycles: int = 2, depth: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(1)
    truth = torch.rand(4, 3, 8, 8, generator=generator) * 0.4 + 0.5
    truth = nn.functional.interpolate(truth, size=(64, 64), mode='bilinear').clamp(0, 1)
    plans = [SAMPLERS['general'](np.random.default_rng(n)) for n in range(4)]
    return Batch(
        degraded=expose_batch(degrade(truth, plans)),
        truth=expose_batch(targets(truth, plans)),
        components=torch.zeros(4, 1, 64, 64),
        plans=plans,
        cycles=cycles,
        seen=2,
        extra=2,
        depth=depth,
        window=(0, 0, 64),
    )


def test_hardly_spoilt_faces_weigh_more_with_light() -> None:
    truth = torch.full((3, 3, 8, 8), 0.5)
    degraded = truth + torch.tensor([0.01, 0.04, 0.2]).view(3, 1, 1, 1)
    plain, lit = (balance(degraded, truth, light).flatten() for light in (0.0, 5.0))
    more = lit / plain
    assert more[0] == pytest.approx(1 + 5 * np.exp(-2 / 3), rel=1e-3)
    assert more[0] > more[1] > more[2]
    assert more[2] == pytest.approx(1.0, abs=1e-3)


def test_every_cycle_is_supervised() -> None:
    for cycles in (1, 2, 3):
        _, terms, outputs = ccfp_loss(Identity(), batch(cycles), ONLY_PIXELS, Critics())
        assert set(terms) == {f'pixel_{k}' for k in range(1, cycles + 1)}
        assert len(outputs) == cycles


@pytest.mark.parametrize('name', sorted(CCFP))
def test_each_part_of_ccfp_is_switched_by_its_own_weight(name: str) -> None:
    weights = replace(ONLY_PIXELS, **{name: CCFP[name]})  # type: ignore[arg-type]
    _, terms, _ = ccfp_loss(Identity(), batch(), weights, Critics())
    assert name in terms
    assert not (set(CCFP) - {name, 'redegradation'}) & set(terms)


def test_a_fixed_point_costs_nothing_and_a_drift_costs_more_the_deeper_it_goes() -> None:
    weights = replace(ONLY_PIXELS, idempotence_clean=1.0, idempotence_restored=1.0)
    _, still, _ = ccfp_loss(Identity(), batch(), weights, Critics())
    # The Charbonnier distance of equal images is its epsilon.
    assert still['idempotence_clean'] == pytest.approx(1e-3, abs=1e-4)
    assert still['idempotence_restored'] == pytest.approx(1e-3, abs=1e-4)
    _, near, _ = ccfp_loss(Shift(0.01), batch(), weights, Critics())
    _, far, _ = ccfp_loss(Shift(0.01), batch(depth=3), weights, Critics())
    assert far['idempotence_clean'] == pytest.approx(4 * near['idempotence_clean'], rel=0.1)


def test_what_the_next_cycle_is_to_change_is_not_held() -> None:
    weights = replace(ONLY_PIXELS, idempotence_restored=1.0, idempotence_from=3)
    for cycles, held in ((1, False), (2, False), (3, True)):
        _, terms, _ = ccfp_loss(Identity(), batch(cycles), weights, Critics())
        assert ('idempotence_restored' in terms) is held


def test_degrading_the_input_of_the_identity_again_costs_more_than_the_truth() -> None:
    weights = replace(ONLY_PIXELS, redegradation=1.0)

    class Oracle(Identity):
        def __init__(self, truth: Tensor) -> None:
            super().__init__()
            self.truth = truth

        def forward(self, x: Tensor, *, clip: bool = True) -> Tensor:
            return self.truth[: len(x)]

    data = batch(cycles=1)
    _, identity, _ = ccfp_loss(Identity(), data, weights, Critics())
    _, oracle, _ = ccfp_loss(Oracle(data.truth), data, weights, Critics())
    assert oracle['redegradation'] < 0.2 * identity['redegradation']


def test_the_discriminator_learns_to_tell_and_the_network_to_deceive() -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(8)
    optimiser = torch.optim.Adam(judge.parameters(), lr=2e-3)
    attention = torch.ones(4, 1, 64, 64)
    generator = torch.Generator().manual_seed(2)

    def real() -> Tensor:
        return torch.rand(4, 3, 64, 64, generator=generator)

    def fake() -> Tensor:
        return nn.functional.avg_pool2d(real(), 3, 1, 1)

    for _ in range(60):
        loss, right = judge_loss(judge, real(), fake(), attention)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert right > 0.9
    blurred = fake().requires_grad_()
    adversarial, matching = deceive_loss(judge, real(), blurred, attention)
    (gradient,) = torch.autograd.grad(adversarial + matching, blurred)
    better = (blurred - 0.5 * gradient / gradient.abs().max()).detach()
    assert deceive_loss(judge, real(), better, attention)[0] < adversarial
    assert all(p.grad is None or p.requires_grad for p in judge.parameters())


def test_adversarial_terms_act_on_the_last_cycle_that_has_a_weight() -> None:
    weights = replace(ONLY_PIXELS, adversarial=(0.0, 0.02), matching=0.1)
    assert weights.judged_cycle(1) == 0
    assert weights.judged_cycle(3) == 3
    critics = Critics(judge=PatchDiscriminator(8))
    _, one, _ = ccfp_loss(Identity(), batch(1), weights, critics)
    _, two, _ = ccfp_loss(Identity(), batch(2), weights, critics)
    assert 'adversarial' not in one
    assert {'adversarial', 'matching'} <= set(two)


class Blueness(nn.Module):
    """Stands for a face embedding: who it is depends on the mean colour alone."""

    def forward(self, crop: Tensor, view: View = STRAIGHT) -> Tensor:
        return nn.functional.normalize(crop.mean(dim=(2, 3)), dim=1)


def test_identity_counts_in_the_last_cycle_or_in_each() -> None:
    class Reddening(Shift):
        def forward(self, x: Tensor, *, clip: bool = True) -> Tensor:
            return x + self.by * torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)

    data = batch(cycles=3)
    critics = Critics(identity={'mobilefacenet': Blueness()})  # type: ignore[dict-item]
    last = replace(ONLY_PIXELS, identity=1.0)
    every = replace(last, identity_everywhere=True)
    network = Reddening(0.1)
    first_alone = ccfp_loss(network, replace(data, cycles=1), last, critics)[1][
        'identity_mobilefacenet'
    ]
    of_last = ccfp_loss(network, data, last, critics)[1]['identity_mobilefacenet']
    of_each = ccfp_loss(network, data, every, critics)[1]['identity_mobilefacenet']
    assert 0 < first_alone < of_each < of_last


class Brightness(nn.Module):
    """Stands for the openness of both eyes."""

    def forward(self, crop: Tensor, shift: EyeShift = (0.0, 0.0)) -> Tensor:
        assert shift == (1.0, -1.0)
        return crop.mean(dim=(1, 2, 3))[:, None].expand(-1, 2)


def test_eyes_that_open_less_far_than_the_truth_cost_in_every_cycle() -> None:
    critics = Critics(eyes=Brightness())  # type: ignore[arg-type]
    data = replace(batch(cycles=2), degraded=batch().truth, eye_shift=(1.0, -1.0))
    weights = replace(ONLY_PIXELS, eyes=3.0)
    shut, found, _ = ccfp_loss(Shift(-0.05), data, weights, critics)
    # 0.05 after the first cycle and 0.1 after the second.
    assert found['eyes'] == pytest.approx(3.0 * 0.075, rel=1e-3)
    shut.backward()  # type: ignore[no-untyped-call]
    assert ccfp_loss(Identity(), data, weights, critics)[1]['eyes'] == pytest.approx(0.0, abs=1e-6)
    assert 'eyes' not in ccfp_loss(Shift(0.1), data, ONLY_PIXELS, critics)[1]


def test_features_are_held_in_the_middle_band_alone() -> None:
    weights = replace(ONLY_PIXELS, features=(0.0, 2.0))
    face = torch.rand(1, 3, 64, 64, generator=torch.manual_seed(3))
    ramp = torch.linspace(0, 0.2, 64).expand(1, 3, 64, 64)
    grain = 0.2 * (torch.arange(64) % 2 - 0.5).expand_as(face)
    waves = 0.2 * torch.sin(torch.arange(64) * 2 * torch.pi / 12).expand_as(face)
    whole = float(middle_band(waves).abs().mean())
    assert whole > 0.05
    for unseen in (torch.full_like(face, 0.3), grain):
        assert float(middle_band(face + unseen).sub(middle_band(face)).abs().max()) < 1e-5
    assert float(middle_band(ramp).abs().mean()) < 0.05 * whole
    terms = ccfp_loss(Shift(0.0), batch(cycles=2), weights, Critics())[1]
    assert 'features_1' not in terms
    assert terms['features_2'] > 0
    # A face that is 0.1 too bright is the business of other terms.
    bright = ccfp_loss(Shift(0.1), batch(cycles=2), weights, Critics())[1]
    assert bright['features_2'] == pytest.approx(terms['features_2'], abs=1e-4)


def test_identity_critics_count_by_their_weights_and_those_of_no_weight_not_at_all() -> None:
    embeds = {'mobilefacenet': Blueness(), 'dlib': Blueness()}
    two = Critics(identity=embeds)  # type: ignore[arg-type]
    shares = {'mobilefacenet': 0.25, 'dlib': 0.75}
    weights = replace(ONLY_PIXELS, identity=2.0, identity_critics=shares)
    terms = ccfp_loss(Shift(0.1), batch(), weights, two)[1]
    first = terms['identity_mobilefacenet']
    assert terms['identity_dlib'] == pytest.approx(3 * first)
    for name, other in (('mobilefacenet', 'dlib'), ('dlib', 'mobilefacenet')):
        alone = replace(weights, identity_critics={name: 1.0, other: 0.0})
        terms = ccfp_loss(Shift(0.1), batch(), alone, two)[1]
        assert terms[f'identity_{name}'] == pytest.approx(4 * first)
        assert f'identity_{other}' not in terms


def test_a_critic_that_weighs_is_not_left_out_because_it_was_not_loaded() -> None:
    one = Critics(identity={'mobilefacenet': Blueness()})  # type: ignore[dict-item]
    weights = replace(ONLY_PIXELS, identity=1.0, identity_critics={'dlib': 1.0})
    with pytest.raises(KeyError, match='dlib'):
        ccfp_loss(Identity(), batch(), weights, one)


def test_noise_before_the_judged_application_has_to_be_drawn_back_too() -> None:
    weights = replace(ONLY_PIXELS, idempotence_clean=1.0)
    data = batch()
    generator = torch.Generator().manual_seed(2)
    noisy = replace(data, noise=0.05 * torch.randn(2, 3, 64, 64, generator=generator))
    terms = [ccfp_loss(Identity(), d, weights, Critics())[1] for d in (data, noisy)]
    assert terms[0]['idempotence_clean'] == pytest.approx(1e-3)
    # The mean size of normal noise is 0.8 standard deviations.
    assert terms[1]['idempotence_clean'] == pytest.approx(0.8 * 0.05, rel=0.05)


def test_a_detached_output_is_shaped_by_its_own_cycle_alone() -> None:
    class Twice(nn.Module):
        """Another weight in each cycle, so that each gradient can be told apart."""

        def __init__(self) -> None:
            super().__init__()
            self.by = nn.Parameter(torch.tensor([0.1, 0.1]))
            self.calls = 0

        def forward(self, x: Tensor, *, clip: bool = True) -> Tensor:
            self.calls += 1
            return x + self.by[self.calls - 1]

    gradients = []
    for detached in (0, 1):
        network = Twice()
        weights = replace(ONLY_PIXELS, pixel=(0.0, 1.0), detached=detached)
        ccfp_loss(network, batch(), weights, Critics())[0].backward()
        assert network.by.grad is not None
        gradients.append(network.by.grad.abs() > 0)
    assert gradients[0].tolist() == [True, True]
    assert gradients[1].tolist() == [False, True]


class Tint(nn.Module):
    """Adds to one colour what it takes from the others: brightness stays."""

    def forward(self, x: Tensor, *, clip: bool = True) -> Tensor:
        return x + torch.tensor([0.1, -0.05, -0.05]).view(1, 3, 1, 1)


def test_chroma_sees_a_tint_in_every_cycle_and_no_brightness() -> None:
    weights = replace(ONLY_PIXELS, chroma=2.0)
    sample = batch(cycles=2)
    sample = replace(sample, degraded=sample.truth)
    brighter = ccfp_loss(Shift(0.1), sample, weights, Critics())[1]['chroma']
    tinted = ccfp_loss(Tint(), sample, weights, Critics())[1]['chroma']
    # The first cycle is off by 0.1, 0.05, 0.05, the second by twice that: 0.1 in the mean.
    assert tinted == pytest.approx(2.0 * 0.1, rel=1e-3)
    assert brighter < 0.02 * tinted
