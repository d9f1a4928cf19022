"""One YAML file describes one run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from training.losses import LossWeights
from training.network import NetworkConfig

#: Pairs of (share of the run done, value from there on).
Schedule = tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run does.

    Attributes:
        seed: of initialisation, augmentation and degradation.
        steps: optimiser steps of the whole run.
        time_budget_s: seconds of training, over all resumptions; whichever of
            this and `steps` is nearer to its end drives the schedules. 0 = none.
        pixels: pixels a batch; the batch is as large as they allow.
        crop: schedule of the training window's side.
        cycles: schedule of k.
        learning_rate: peak of the cosine schedule.
        warmup_steps: steps of linear warm-up.
        ema: decay of the averaged weights, which are the ones shipped.
        shares: weights of the degradation sets.
        clean_share: share of undegraded inputs.
        perceptual_from: share of the run from which LPIPS is a term.
        perceptual_window: side of the square in which it is measured.
        perceptual_share: part of a batch on which it is measured.
        fixed_point_ramp: shares of the run between which the idempotence and
            re-degradation terms grow from nothing to their weights. From the
            first step they would hold the network at the identity, which
            satisfies all of them.
        extra_share: part of a batch that the extra passes of CCFP see.
        network: layout.
        loss: weights of the terms.
        checkpoint_every_s: seconds between checkpoints.
        validate_every_s: seconds between validations.

    """

    seed: int = 1
    steps: int = 200_000
    time_budget_s: float = 0.0
    pixels: int = 262_144
    crop: Schedule = ((0.0, 128), (0.4, 192), (0.85, 256))
    cycles: Schedule = ((0.0, 1), (0.2, 2), (0.5, 3))
    learning_rate: float = 6e-4
    warmup_steps: int = 200
    ema: float = 0.998
    shares: dict[str, float] = field(default_factory=lambda: {'general': 0.7, 'car': 0.3})
    clean_share: float = 0.03
    perceptual_from: float = 0.15
    perceptual_window: int = 128
    perceptual_share: float = 1.0
    fixed_point_ramp: tuple[float, float] = (0.04, 0.25)
    extra_share: float = 0.25
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossWeights = field(default_factory=LossWeights)
    checkpoint_every_s: float = 60.0
    validate_every_s: float = 300.0


def scheduled(schedule: Schedule, progress: float) -> int:
    """Return the value that a schedule has at a share of the run (0..1)."""
    value = schedule[0][1]
    for start, candidate in schedule:
        if progress >= start:
            value = candidate
    return value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _build(kind: type[Any], values: dict[str, Any], where: str) -> Any:
    known = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f'{where}: unknown key(s) {unknown}; known are {sorted(known)}')
    return kind(**{name: _tuples(value) for name, value in values.items()})


def load_config(path: Path) -> RunConfig:
    """Read a run's YAML file.

    Raises:
        ValueError: unknown keys, named in the message.

    """
    values = dict(yaml.safe_load(path.read_text(encoding='utf-8')) or {})
    for name, kind in (('network', NetworkConfig), ('loss', LossWeights)):
        if name in values:
            values[name] = _build(kind, values[name], f'{path}: {name}')
    config: RunConfig = _build(RunConfig, values, str(path))
    return config
