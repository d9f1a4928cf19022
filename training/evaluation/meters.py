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

"""The metric networks, and measuring the stages of one face with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.critics.perceptual import Lpips
from training.data.crops import to_tensor
from training.evaluation.protocol import TRUTH, Coverage
from training.metrics import (
    MATCH_COSINE,
    Dists,
    EfficientNetFeatures,
    FaceFinder,
    FaceMesh,
    MeshResult,
    Niqe,
    SFace,
    degrees,
    eye_openness,
    fed,
    landmark_error,
    ms_ssim,
    psnr,
    ssim,
)

Picture = NDArray[np.uint8]

#: PSNR of equal images is infinite; a mean must not be ruled by them.
HIGHEST_PSNR = 60.0


@dataclass
class Readings:
    """What was measured on one face.

    Attributes:
        number: Index of the face in the list of its set.
        file: Name of the image.
        values: Figures by stage ('0', '1'..., 'truth') and metric.
        features: (1280,) float16 features by stage, for distances between whole sets.

    """

    number: int
    file: str
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    features: dict[str, NDArray[np.float16]] = field(default_factory=dict)


class Meters:
    """Loads a metric's network when it is first needed."""

    @cached_property
    def lpips(self) -> Lpips:
        """AlexNet: training used VGG16, so this one is not fitted to."""
        return Lpips('alex')

    @cached_property
    def dists(self) -> Dists:
        """DISTS in float32."""
        return Dists()

    @cached_property
    def niqe(self) -> Niqe:
        """NIQE with its authors' model."""
        return Niqe()

    @cached_property
    def sface(self) -> SFace:
        """The embedding of reported identity; training used another network."""
        return SFace()

    @cached_property
    def mesh(self) -> FaceMesh:
        """The mesh of 468 points."""
        return FaceMesh()

    @cached_property
    def finder(self) -> FaceFinder:
        """The face detector."""
        return FaceFinder()

    @cached_property
    def efficientnet(self) -> EfficientNetFeatures:
        """Features for KID."""
        return EfficientNetFeatures()

    def weights(self) -> dict[str, str]:
        """Return the SHA-256 of every weight file, by metric; loads them all."""
        from training.critics.perceptual import weights_sha256

        found = {'lpips': weights_sha256('alex'), 'dists_vgg16': weights_sha256('vgg')}
        for name in ('dists', 'niqe', 'sface', 'mesh', 'finder', 'efficientnet'):
            found[name] = str(getattr(self, name).sha256)
        return found

    @torch.no_grad()
    def measure(
        self,
        readings: Readings,
        stages: Mapping[str, Picture],
        truth: Picture | None,
        coverage: Coverage,
    ) -> None:
        """Measure the stages of one face and add the figures to its readings.

        Args:
            readings: Readings of the face, to which the figures are added; the number decides what
                is measured.
            stages: (256, 256, 3) uint8 BGR by name ('0', '1'...).
            truth: Undegraded face, or None: then identity is compared with stage '0' and what needs
                a truth is left out.
            coverage: Metrics to measure, by stage.

        """
        pictures = dict(stages)
        if truth is not None:
            pictures[TRUTH] = truth
        tensors = {stage: to_tensor(picture) for stage, picture in pictures.items()}

        def chosen(group: str) -> list[str]:
            return [s for s in pictures if coverage.covers(group, readings.number, s)]

        def put(metric: str, names: list[str], figures: Tensor) -> None:
            for stage, figure in zip(names, figures.tolist(), strict=True):
                readings.values.setdefault(stage, {})[metric] = float(figure)

        if truth is not None:
            for metric, measure in (('psnr', psnr), ('ssim', ssim), ('ms_ssim', ms_ssim)):
                names = [s for s in chosen(metric) if s != TRUTH]
                if names:
                    batch = torch.cat([tensors[s] for s in names])
                    figures = measure(batch, tensors[TRUTH].expand_as(batch))
                    ceiling = HIGHEST_PSNR if metric == 'psnr' else 1.0
                    put(metric, names, figures.clamp(max=ceiling))
            for metric in ('lpips', 'dists'):
                names = [s for s in chosen(metric) if s != TRUTH]
                if names:
                    network = self.lpips if metric == 'lpips' else self.dists
                    put(metric, names, _distances(network, tensors, names))
        for stage in chosen('niqe'):
            readings.values.setdefault(stage, {})['niqe'] = self.niqe(tensors[stage])
        for stage in chosen('detection'):
            score = self.finder(pictures[stage])
            values = readings.values.setdefault(stage, {})
            values['detection_score'], values['detected'] = score, float(score > 0.0)
        self._identity(readings, pictures, chosen('identity'))
        self._mesh(readings, pictures, chosen('mesh'))
        names = chosen('features')
        if names:
            batch = self.efficientnet(torch.cat([tensors[s] for s in names]))
            for stage, row in zip(names, batch.numpy().astype(np.float16), strict=True):
                readings.features[stage] = row

    def _identity(
        self, readings: Readings, pictures: Mapping[str, Picture], names: list[str]
    ) -> None:
        if not names:
            return
        reference = self.sface(pictures[TRUTH if TRUTH in pictures else '0'])
        for stage in names:
            embedding = self.sface(pictures[stage])
            values = readings.values.setdefault(stage, {})
            values['deg'] = degrees(embedding, reference)
            values['fed'] = fed(embedding, reference)
            values['match'] = float(float(embedding @ reference) >= MATCH_COSINE)

    def _mesh(self, readings: Readings, pictures: Mapping[str, Picture], names: list[str]) -> None:
        if not names:
            return
        truth: MeshResult | None = None
        if TRUTH in pictures:
            truth = self.mesh(pictures[TRUTH])
        for stage in names:
            mesh = truth if stage == TRUTH and truth is not None else self.mesh(pictures[stage])
            eyes = np.asarray(eye_openness(mesh.points))
            values = readings.values.setdefault(stage, {})
            values['mesh_found'], values['eye_openness'] = float(mesh.found), float(eyes.mean())
            if truth is not None and stage != TRUTH:
                right = np.asarray(eye_openness(truth.points))
                values['lmd'] = landmark_error(mesh.points, truth.points)
                values['eye_error'] = float(np.abs(eyes - right).mean())
                values['eye_bias'] = float((eyes - right).mean())


def _distances(network: Lpips | Dists, tensors: Mapping[str, Tensor], names: list[str]) -> Tensor:
    """Return the (B,) distances of the named images from the truth, in one pass of the network."""
    maps = network.features(torch.cat([tensors[s] for s in (*names, TRUTH)]))
    images = [m[:-1] for m in maps]
    return network.distance(images, [m[-1:].expand_as(i) for m, i in zip(maps, images)])
