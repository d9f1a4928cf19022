"""Loads what processes the frames, as the parameters say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cfrnet_ros.node.parameters import Settings
from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.model_card import ModelCard
from cfrnet_ros.vision.engine.providers import choose_providers, parse_options
from cfrnet_ros.vision.engine.sessions import EngineSession
from cfrnet_ros.vision.pipeline import FacePipeline
from cfrnet_ros.vision.quality.face_embedder import FaceEmbedder
from cfrnet_ros.vision.restoration.self_test import SelfTest
from cfrnet_ros.vision.restoration.trusted import load_trusted
from cfrnet_ros.vision.tracking.tracker import FaceTracker

#: Frame that the detector is warmed up with, in pixels; the camera's real size
#: is not known before the first frame.
WARM_UP_SIZE = (480, 640)


@dataclass(frozen=True)
class Engine:
    """A warmed-up pipeline, and where it runs.

    Attributes:
        pipeline: The pipeline.
        card: Card of the restorer's model.
        restorer: Session of the restorer.
        detector: Session of the detector.
        self_test: Finding of the restorer's self-test.
        rejected: Sentences on engines that failed their self-test before, see `TrustedRestorer`.

    """

    pipeline: FacePipeline
    card: ModelCard
    restorer: EngineSession
    detector: EngineSession
    self_test: SelfTest
    rejected: tuple[str, ...]


def load_engine(settings: Settings) -> Engine:
    """Load and warm up detector and restorer.

    Raises:
        VisionError: a model or a provider cannot be had; the text names cause
            and remedy.

    """
    choice = choose_providers(
        settings.provider,
        strict=settings.strict_provider,
        options=parse_options(settings.provider_options),
    )
    trusted = load_trusted(
        settings.model, choice, settings.threads, settings.crop_size, settings.self_test
    )
    restorer = trusted.restorer
    detector_model = Path(settings.detector_model).expanduser() if settings.detector_model else None
    detector = YuNetDetector(detector_model, choice, settings.detector_input_size, settings.threads)
    detector.warm_up(*WARM_UP_SIZE)

    def load_embedder() -> FaceEmbedder:
        return FaceEmbedder(threads=settings.threads)

    return Engine(
        pipeline=FacePipeline(detector, restorer, FaceTracker(), load_embedder),
        card=restorer.card,
        restorer=restorer.engine,
        detector=detector.engine,
        self_test=trusted.test,
        rejected=trusted.rejected,
    )
