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

"""Loads the models and the pipeline that the parameters name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.model_card import ModelCard
from cfrnet_ros.vision.engine.provider_records import CPU
from cfrnet_ros.vision.engine.providers import ProviderChoice, choose_providers, parse_options
from cfrnet_ros.vision.engine.session_pool import SessionPool
from cfrnet_ros.vision.engine.sessions import EngineSession
from cfrnet_ros.vision.engine.thread_choice import (
    Run,
    ThreadChoice,
    at_once,
    choose_threads,
    thread_counts,
)
from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.pipeline import FacePipeline
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder
from cfrnet_ros.vision.restoration.fine_stage import FINE_SIZE, TwoStageRestorer
from cfrnet_ros.vision.restoration.restorer import Restorer
from cfrnet_ros.vision.restoration.self_test import SelfTest, run_self_test
from cfrnet_ros.vision.restoration.trusted import TrustedRestorer, load_trusted
from cfrnet_ros.vision.tracking.tracker import FaceTracker
from cfrnet_ros.vision.types import OFF

#: Height and width in pixels of the frame that the detector is warmed up with. The camera's real
#: size is not known before the first frame.
WARM_UP_SIZE = (480, 640)


@dataclass(frozen=True)
class Engine:
    """A warmed-up pipeline with its model card, sessions and self-test.

    Attributes:
        pipeline: Pipeline that processes the frames.
        card: Card of the restorer's model.
        restorer: Inference session of the restorer; with a fine stage, of its coarse stage.
        detector: Inference session of the detector.
        self_test: Result of the restorer's self-test.
        rejected: Sentences about engines that were tried before and failed their self-test, as in
            `TrustedRestorer`.
        precision_reason: Sentence that says why INT8 or FP32 was taken, as in `TrustedRestorer`.
        threads: Number of CPU threads of the networks, and why.
        fine: Inference session of the fine stage, None if `fine_stage` is off.

    """

    pipeline: FacePipeline
    card: ModelCard
    restorer: EngineSession
    detector: EngineSession
    self_test: SelfTest
    rejected: tuple[str, ...]
    precision_reason: str
    threads: ThreadChoice
    fine: EngineSession | None = None


def load_engine(settings: Settings, pool: SessionPool | None = None) -> Engine:
    """Load and warm up detector and restorer.

    Args:
        settings: Parameters that name the models, the providers and their options.
        pool: Sessions that several engines share; None for sessions of its own.

    Returns:
        Engine, ready for the first frame.

    Raises:
        VisionError: A model or a provider is not available; the text names cause and remedy.

    """
    choice = choose_providers(
        settings.provider,
        strict=settings.strict_provider,
        options=parse_options(settings.provider_options),
        pool=pool,
    )
    if settings.fine_stage and settings.crop_size not in (0, FINE_SIZE):
        raise ModelError(
            f'fine_stage makes crops of {FINE_SIZE} px, but crop_size is {settings.crop_size}; set'
            f' crop_size to 0 or {FINE_SIZE}, or fine_stage to false'
        )
    trusted, threads = _load_restorer(settings, choice)
    restorer = trusted.restorer
    staged = _add_fine_stage(restorer, choice, threads.threads) if settings.fine_stage else None
    detector_model = Path(settings.detector_model).expanduser() if settings.detector_model else None
    detector = YuNetDetector(detector_model, choice, settings.detector_input_size, threads.threads)
    detector.warm_up(*WARM_UP_SIZE)

    def load_embedder() -> FaceEmbedder:
        return FaceEmbedder(choice=choose_providers('cpu', pool=pool), threads=threads.threads)

    return Engine(
        pipeline=FacePipeline(
            detector,
            staged or restorer,
            FaceTracker(),
            load_embedder,
            lanes=settings.parallel_frames,
        ),
        card=(staged or restorer).card,
        restorer=restorer.engine,
        detector=detector.engine,
        self_test=trusted.test,
        rejected=trusted.rejected,
        precision_reason=trusted.precision_reason,
        threads=threads,
        fine=staged.fine_engine if staged else None,
    )


def _add_fine_stage(restorer: Restorer, choice: ProviderChoice, threads: int) -> TwoStageRestorer:
    """Load the same model at the size of the fine stage, and warm both up."""
    names = [provider.name for provider in choice.remaining]
    if restorer.engine.used in names:
        # A provider that failed the self-test is not asked again.
        for name in names[: names.index(restorer.engine.used)]:
            choice = choice.without(name, 'does not run the coarse stage')
    fine = Restorer(restorer.card.file, choice, threads, FINE_SIZE)
    staged = TwoStageRestorer(restorer, fine)
    staged.warm_up()
    return staged


def _load_restorer(
    settings: Settings, choice: ProviderChoice
) -> tuple[TrustedRestorer, ThreadChoice]:
    """Load a restorer that is trusted, with a number of threads that was asked for or measured."""
    asked = settings.threads or 1
    size = 0 if settings.fine_stage else settings.crop_size
    trusted = load_trusted(settings.model, choice, asked, size, settings.self_test)
    if settings.threads:
        return trusted, ThreadChoice(settings.threads, 'set by the parameter')
    restorer = trusted.restorer
    if restorer.engine.used != CPU.name:
        # What little runs on the CPU beside a device is not worth a measurement.
        return trusted, ThreadChoice(0, f'{restorer.engine.used} decides')
    lanes = settings.parallel_frames
    restorers = {1: restorer}
    for threads in thread_counts(lanes=lanes)[1:]:
        restorers[threads] = Restorer(restorer.card.file, choice, threads, size)
        restorers[threads].warm_up()
    side = restorer.card.size
    crop = np.full((side, side, 3), 127, np.uint8)

    def cycle_of(each: Restorer) -> Run:
        others = [each.clone() for _ in range(lanes - 1)]
        return at_once([partial(lane.restore, crop, 1) for lane in (each, *others)])

    chosen = choose_threads([(n, cycle_of(each)) for n, each in restorers.items()], lanes=lanes)
    better = restorers[chosen.threads]
    if better is restorer or settings.self_test == OFF:
        return replace(trusted, restorer=better), chosen
    # Threads add up in another order, so the test is made with them as well.
    test = run_self_test(better)
    if test.failed and not trusted.test.failed:
        return trusted, ThreadChoice(1, f'with {chosen.threads} threads the self-test {test}')
    return replace(trusted, restorer=better, test=test), chosen
