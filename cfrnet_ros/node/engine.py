"""Loads the models and the pipeline that the parameters name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.model_card import ModelCard
from cfrnet_ros.vision.engine.providers import choose_providers, parse_options
from cfrnet_ros.vision.engine.session_pool import SessionPool
from cfrnet_ros.vision.engine.sessions import EngineSession
from cfrnet_ros.vision.pipeline import FacePipeline
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder
from cfrnet_ros.vision.restoration.self_test import SelfTest
from cfrnet_ros.vision.restoration.trusted import load_trusted
from cfrnet_ros.vision.tracking.tracker import FaceTracker

#: Height and width in pixels of the frame that the detector is warmed up with. The camera's real
#: size is not known before the first frame.
WARM_UP_SIZE = (480, 640)


@dataclass(frozen=True)
class Engine:
    """A warmed-up pipeline with its model card, sessions and self-test.

    Attributes:
        pipeline: Pipeline that processes the frames.
        card: Card of the restorer's model.
        restorer: Inference session of the restorer.
        detector: Inference session of the detector.
        self_test: Result of the restorer's self-test.
        rejected: Sentences about engines that were tried before and failed their self-test, as in
            `TrustedRestorer`.
        precision_reason: Sentence that says why INT8 or FP32 was taken, as in `TrustedRestorer`.

    """

    pipeline: FacePipeline
    card: ModelCard
    restorer: EngineSession
    detector: EngineSession
    self_test: SelfTest
    rejected: tuple[str, ...]
    precision_reason: str


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
    trusted = load_trusted(
        settings.model, choice, settings.threads, settings.crop_size, settings.self_test
    )
    restorer = trusted.restorer
    detector_model = Path(settings.detector_model).expanduser() if settings.detector_model else None
    detector = YuNetDetector(detector_model, choice, settings.detector_input_size, settings.threads)
    detector.warm_up(*WARM_UP_SIZE)

    def load_embedder() -> FaceEmbedder:
        return FaceEmbedder(choice=choose_providers('cpu', pool=pool), threads=settings.threads)

    return Engine(
        pipeline=FacePipeline(detector, restorer, FaceTracker(), load_embedder),
        card=restorer.card,
        restorer=restorer.engine,
        detector=detector.engine,
        self_test=trusted.test,
        rejected=trusted.rejected,
        precision_reason=trusted.precision_reason,
    )
