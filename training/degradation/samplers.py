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

"""What is drawn: the sets of degradations and the ranges of their parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from training.degradation.blur import GaussianBlur, MotionBlur, MotionPath
from training.degradation.colour import ColourBlotches, ColourCast, CutShadows
from training.degradation.fusion import draw_fusion
from training.degradation.jpeg import Jpeg
from training.degradation.light import Glare, Grey, Mono
from training.degradation.noise import LowLight, Noise
from training.degradation.plan import Degradation
from training.degradation.resize import DOWN_FILTERS, UP_FILTERS, Enlarge, Mosaic, Shrink
from training.degradation.step import Step
from training.degradation.video import Video

#: Range of the quantisation parameter: about as far from the clean face as the JPEG
#: qualities of 90 and 15 are.
VIDEO_QP = (24, 40)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _blur(rng: np.random.Generator, factor: float = 1.0) -> Step:
    """Draw a blur, for an image that is smaller than the crop by a factor."""
    sigma = _log_uniform(rng, 0.4, 4.0) / factor
    ratio = _log_uniform(rng, 1.0, 2.0) if rng.random() < 0.5 else 1.0
    return GaussianBlur(sigma * ratio**0.5, sigma / ratio**0.5, rng.uniform(0, math.pi))


def _motion(rng: np.random.Generator) -> Step:
    return MotionBlur(rng.uniform(3.0, 17.0), rng.uniform(0, math.pi))


def _shrink(rng: np.random.Generator) -> tuple[Shrink, Enlarge]:
    factor = _log_uniform(rng, 1.0, 6.0)
    return Shrink(factor, str(rng.choice(DOWN_FILTERS))), Enlarge(str(rng.choice(UP_FILTERS)))


def _noise(rng: np.random.Generator) -> Step:
    return Noise(
        sigma=rng.uniform(1.0, 30.0) / 255.0,
        seed=_seed(rng),
        correlated=bool(rng.random() < 0.3),
        colourless=bool(rng.random() < 0.3),
    )


def _jpeg(rng: np.random.Generator) -> Step:
    return Jpeg(int(rng.integers(15, 91)))


def _video(rng: np.random.Generator) -> Step:
    right, down = (2 * int(v) for v in np.clip(np.round(rng.normal(0.0, 1.5, 2)), -8, 8))
    return Video(
        qp=int(rng.integers(VIDEO_QP[0], VIDEO_QP[1] + 1)),
        right=right,
        down=down,
        soft=rng.uniform(0.02, 0.08),
        key=bool(rng.random() < 0.1),
    )


def _low_light(rng: np.random.Generator, least: float = 0.06) -> Step:
    return LowLight(
        gain=_log_uniform(rng, least, 0.5),
        shot=_log_uniform(rng, 1e-4, 3e-3),
        read=_log_uniform(rng, 3e-4, 6e-3),
        seed=_seed(rng),
    )


def _glare(rng: np.random.Generator) -> Step:
    x, y = rng.uniform(-0.2, 1.2, 2)
    return Glare(
        x=float(x),
        y=float(y),
        radius=rng.uniform(0.3, 0.9),
        glow=rng.uniform(0.1, 0.45),
        veil=rng.uniform(0.0, 0.15),
        streak=rng.uniform(0.05, 0.3) if rng.random() < 0.4 else 0.0,
        streak_angle=rng.uniform(0, math.pi),
        streak_width=_log_uniform(rng, 0.008, 0.05),
        reflection=rng.uniform(0.05, 0.25) if rng.random() < 0.5 else 0.0,
        seed=_seed(rng),
    )


def sample_general(rng: np.random.Generator) -> Degradation:
    """Draw blur, down-sampling, noise and compression in random order and strength."""
    chosen: list[str] = []
    for name, share in (('blur', 0.7), ('down', 0.7), ('noise', 0.7), ('compression', 0.8)):
        if rng.random() < share:
            chosen.append(name)
    if not chosen:
        chosen = ['down', 'compression']
    # Half of the time whatever comes after the down-sampling happens at the low resolution.
    stays_low = rng.random() < 0.5
    factor = 1.0
    steps: list[Step] = []
    last: list[Step] = []
    for index in rng.permutation(len(chosen)):
        name = chosen[index]
        if name == 'down':
            shrink, enlarge = _shrink(rng)
            steps.append(shrink)
            if stays_low:
                factor = shrink.factor
                last.append(enlarge)
            else:
                steps.append(enlarge)
        elif name == 'blur':
            # As wide on the face as at full size: 4 px of 43 would leave no face.
            steps.append(_blur(rng, factor))
        else:
            steps.append(_noise(rng) if name == 'noise' else _compression(rng))
    return Degradation(steps=(*steps, *last))


def _compression(rng: np.random.Generator) -> Step:
    """Draw JPEG, or video a quarter of the time: in a fifth of the general set."""
    return _video(rng) if rng.random() < 0.25 else _jpeg(rng)


def sample_car(rng: np.random.Generator) -> Degradation:
    """Draw what a driver camera adds: optics, motion, light, sensor and compression, in order."""
    steps: list[Step] = []
    target: Grey | None = None
    if rng.random() < 0.4:
        red, green, blue = rng.dirichlet((6.0, 3.0, 2.0))
        target = Grey((float(red), float(green), float(blue)))
        steps.append(target)
    glare = rng.random() < 0.3
    if glare:
        steps.append(_glare(rng))
    if rng.random() < 0.5:
        steps.append(_motion(rng))
    if rng.random() < 0.4:
        steps.append(_blur(rng))
    shrink, enlarge = _shrink(rng)
    steps.append(shrink)
    if rng.random() < 0.7:
        # Glare comes from the sun: the face is dark beside it, but it is not night.
        steps.append(_low_light(rng, 0.15 if glare else 0.06))
    else:
        steps.append(_noise(rng))
    steps.append(_video(rng) if rng.random() < 0.5 else _jpeg(rng))
    steps.append(enlarge)
    if target is not None:
        # The sensor's noise and the codec must not bring colour back.
        steps.append(Mono())
    return Degradation(steps=tuple(steps), target=target)


def sample_motion(rng: np.random.Generator) -> Degradation:
    """Draw what a movement during the exposure does in good light: little noise, maybe JPEG."""
    path = MotionPath(
        length=rng.uniform(6.0, 16.0),
        angle=rng.uniform(0.0, 2.0 * math.pi),
        bend=rng.uniform(-0.8, 0.8) if rng.random() < 0.5 else 0.0,
        pace=rng.uniform(-0.6, 0.6) if rng.random() < 0.5 else 0.0,
    )
    noise = Noise(rng.uniform(0.0, 4.0) / 255.0, _seed(rng), correlated=bool(rng.random() < 0.3))
    steps: list[Step] = [path, noise]
    if rng.random() < 0.8:
        steps.append(_jpeg(rng))
    return Degradation(steps=tuple(steps))


def sample_low_light(rng: np.random.Generator) -> Degradation:
    """Draw a colour camera at night: its light, its colours and its compression."""
    red, green, blue = (float(v) for v in np.exp(rng.normal(0.0, 0.08, 3)))
    steps: list[Step] = [ColourCast(rng.uniform(0.45, 1.0), red, green, blue)]
    if rng.random() < 0.4:
        steps.append(_blur(rng))
    shrink, enlarge = _shrink(rng)
    gain = _log_uniform(rng, 0.06, 0.5)
    shot, read = _log_uniform(rng, 3e-4, 1e-2), gain * _log_uniform(rng, 5e-3, 0.1)
    steps += [shrink, LowLight(gain, shot, read, _seed(rng))]
    if rng.random() < 0.5:
        steps.append(CutShadows(rng.uniform(0.0, 0.06)))
    for low, high, share in ((4, 9, 0.5), (10, 32, 0.7)):
        if rng.random() < share:
            sigma = _log_uniform(rng, 0.006, 0.04)
            steps.append(ColourBlotches(sigma, int(rng.integers(low, high + 1)), _seed(rng)))
    steps += [_video(rng) if rng.random() < 0.5 else _jpeg(rng), enlarge]
    return Degradation(steps=tuple(steps))


def sample_fused(rng: np.random.Generator) -> Degradation:
    """Draw a camera of the general or the car set, and frames of it that were fused."""
    draw = sample_car if rng.random() < 0.6 else sample_general
    plan = draw(rng)
    while not any(isinstance(step, (Noise, LowLight)) for step in plan.steps):
        # Frames without noise are all alike, and so is their average.
        plan = draw(rng)
    return Degradation(plan.steps, plan.target, fusion=draw_fusion(rng))


def sample_mosaic(rng: np.random.Generator) -> Degradation:
    """Return the 16x mosaic of the HiFaceGAN tests (nothing random in it)."""
    del rng
    return Degradation(steps=(Mosaic(16),))


SAMPLERS: dict[str, Callable[[np.random.Generator], Degradation]] = {
    'general': sample_general,
    'car': sample_car,
    'mosaic': sample_mosaic,
    'motion': sample_motion,
    'fused': sample_fused,
    'low_light': sample_low_light,
}


def sample(rng: np.random.Generator, shares: Mapping[str, float]) -> Degradation:
    """Draw a degradation from the named sets.

    Args:
        rng: Source of randomness.
        shares: Weight of each set, by its name in `SAMPLERS`.

    Raises:
        KeyError: A name is not in `SAMPLERS`.

    """
    names = list(shares)
    weights = np.array([shares[n] for n in names], dtype=np.float64)
    return SAMPLERS[str(rng.choice(names, p=weights / weights.sum()))](rng)
