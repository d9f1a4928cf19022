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

"""One YAML file describes one run: what it draws, what it minimises, and when that changes."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from training.critics.identity_weights import name_critics
from training.data.augmentation import Augmentation
from training.losses.weights import LossWeights
from training.networks.config import NetworkConfig
from training.run.precision import check_precision


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run does.

    Attributes:
        seed: Seed of initialisation, augmentation and degradation.
        steps: Number of optimiser steps of the whole run.
        time_budget_s: Seconds of training, over all resumptions, in which the run is to be over:
            where the machine is too slow for `steps` the schedules are driven by the time instead.
            0 for never.
        start_from: Checkpoint of another run whose weights this one begins with, or ''.
        exclude: List of training images to leave out, beside the configs, or ''.
        pixels: Number of pixels in a batch; the batch is as large as they allow.
        crop: Side of the training window in pixels.
        whole_every: Every n-th step uses whole 256 px crops instead of windows, on which the
            identity term is measured too; 0 for never.
        cycles: Probabilities of drawing k = 1, 2, 3...; they need not add up to 1.
        learning_rate: ((step, value), ...), joined by straight lines in log value.
        betas: Decay rates of Adam's two moments.
        warmup_steps: Number of steps of linear warm-up.
        ema: Decay of the averaged weights, which are the ones shipped.
        shares: Weights of the degradation sets.
        clean_share: Share of undegraded inputs.
        face_weights: Weights of training faces by patterns of their file names, see
            `TrainingFaces.chances`; empty for all alike.
        augmentation: Shares of turned heads, shadows, reflections of glasses, hands and lids drawn
            down.
        perceptual_share: Part of a batch on which the VGG16 distance is measured, by far the most
            expensive term.
        extra_share: Part of a batch that the extra passes of CCFP see.
        extra_every: Every n-th step has such passes.
        network: Layout of the network.
        loss: Weights of the terms.
        discriminator_rate: Learning rate of the discriminator, as a share of the network's.
        stages: ((step, changes), ...): from that step on, what `changes` names is as it
            says. Its keys are fields of this class; those of `loss` are named inside it.
        checkpoint_every_s: Seconds between checkpoints.
        validate_every_s: Seconds between validations.
        precision: 'auto' (bfloat16 on a GPU and on a CPU with instructions for it, float32
            elsewhere), 'bfloat16' or 'float32'.

    Raises:
        ValueError: The precision is unknown.

    """

    seed: int = 1
    steps: int = 100_000
    time_budget_s: float = 0.0
    start_from: str = ''
    exclude: str = ''
    pixels: int = 98_304
    crop: int = 128
    whole_every: int = 0
    cycles: tuple[float, ...] = (1.0,)
    learning_rate: tuple[tuple[float, float], ...] = ((0, 1e-3),)
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 100
    ema: float = 0.998
    shares: dict[str, float] = field(default_factory=lambda: {'general': 0.7, 'car': 0.3})
    clean_share: float = 0.03
    face_weights: dict[str, float] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=Augmentation)
    perceptual_share: float = 0.34
    extra_share: float = 0.17
    extra_every: int = 1
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    discriminator_rate: float = 1.0
    stages: tuple[tuple[int, dict[str, Any]], ...] = ()
    checkpoint_every_s: float = 60.0
    validate_every_s: float = 600.0
    precision: str = 'auto'

    def __post_init__(self) -> None:
        """Reject what no run can do."""
        check_precision(self.precision)

    def at(self, step: int) -> RunConfig:
        """Return the configuration that holds at a step: this one with its stages applied."""
        current = self
        for begin, changes in self.stages:
            if step < begin:
                break
            named = dict(changes)
            loss = dataclasses.replace(current.loss, **named.pop('loss', {}))
            current = dataclasses.replace(current, **named, loss=loss)
        return current

    @property
    def phases(self) -> list[tuple[int, RunConfig]]:
        """Step 0 and the first step of each stage, each with what holds from there on."""
        return [(begin, self.at(begin)) for begin in (0, *(begin for begin, _ in self.stages))]

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, without the warm-up."""
        points = self.learning_rate
        for (left, first), (right, second) in itertools.pairwise(points):
            if step < left:
                break
            if step < right:
                share = (step - left) / (right - left)
                return math.exp((1 - share) * math.log(first) + share * math.log(second))
        return points[-1][1] if step >= points[-1][0] else points[0][1]


#: Fields that shape the run as a whole and that no stage may change.
_FIXED = {
    'seed',
    'steps',
    'time_budget_s',
    'start_from',
    'exclude',
    'face_weights',
    'augmentation',
    'network',
    'precision',
    'stages',
    'learning_rate',
}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _known(kind: type[Any], values: dict[str, Any], where: str) -> dict[str, Any]:
    known = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f'{where}: unknown key(s) {unknown}; known are {sorted(known)}')
    return {name: _tuples(value) for name, value in values.items()}


def _loss(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the weights of a config's section; one number for all cycles may stand for a list."""
    try:
        values = name_critics(values)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error
    known = _known(LossWeights, values, where)
    by_cycle = {f.name for f in dataclasses.fields(LossWeights) if isinstance(f.default, tuple)}
    return {
        name: (value,) if name in by_cycle and not isinstance(value, tuple) else value
        for name, value in known.items()
    }


def _stages(entries: list[dict[str, Any]], where: str) -> tuple[tuple[int, dict[str, Any]], ...]:
    stages = []
    for entry in entries:
        changes = dict(entry)
        if 'from' not in changes:
            raise ValueError(f"{where}: every stage needs the key 'from', its first step: {entry}")
        begin = int(changes.pop('from'))
        fixed = sorted(_FIXED & set(changes))
        if fixed:
            raise ValueError(f'{where}: a stage cannot change {fixed}')
        changes = _known(RunConfig, changes, f'{where}: stage {begin}')
        if 'loss' in changes:
            changes['loss'] = _loss(changes['loss'], f'{where}: stage {begin}: loss')
        stages.append((begin, changes))
    if [s[0] for s in stages] != sorted(s[0] for s in stages):
        raise ValueError(f'{where}: stages must be in the order of their first steps')
    return tuple(stages)


def load_config(path: Path) -> RunConfig:
    """Read a run's YAML file.

    Raises:
        ValueError: Keys or the precision are unknown, a share of augmented faces is not in 0..1,
            stages are without a first step or out of order, or identity critics mean nothing, at
            the start or in a stage; the message names which.

    """
    return make_config(yaml.safe_load(path.read_text(encoding='utf-8')) or {}, str(path))


def make_config(given: Mapping[str, Any], source: str) -> RunConfig:
    """Return the configuration that a YAML mapping describes.

    Args:
        given: Content of a run's YAML file, or a mapping of the same form.
        source: Name of the mapping's origin, for messages.

    Raises:
        ValueError: See `load_config`.

    """
    values = dict(given)
    stages = _stages(values.pop('stages', []), source)
    values = _known(RunConfig, values, source)
    if 'network' in values:
        network = _known(NetworkConfig, values['network'], f'{source}: network')
        values['network'] = NetworkConfig(**network)
    if 'augmentation' in values:
        shares = _known(Augmentation, values['augmentation'], f'{source}: augmentation')
        values['augmentation'] = Augmentation(**shares)
    where = f'{source}: loss'
    loss = _loss(values.pop('loss', {}), where)
    try:
        weights = LossWeights(**loss)
        where = source
        config = RunConfig(**values, loss=weights, stages=stages)
        for begin, _ in stages:
            # A run of hours must not end at the stage that says something impossible.
            where = f'{source}: stage {begin}'
            config.at(begin)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error
    return config


def modernise(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config as checkpoints and model cards hold it, with the keys of today.

    Args:
        values: JSON object made of a `RunConfig`, of this code or of an older one.

    Raises:
        ValueError: A section `loss` is such that `name_critics` refuses it.

    """
    modern = dict(values)
    if 'loss' in modern:
        modern['loss'] = name_critics(modern['loss'])
    if 'stages' in modern:
        modern['stages'] = [
            [begin, {**changes, 'loss': name_critics(changes['loss'])}]
            if 'loss' in changes
            else [begin, changes]
            for begin, changes in modern['stages']
        ]
    return modern
