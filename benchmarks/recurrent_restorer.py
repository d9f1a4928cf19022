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

"""Restores the faces of a video with networks that read their own last output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.fusion_variants import carried_planes
from cfrnet_ros.vision.engine.models import MODEL_DIR
from cfrnet_ros.vision.preprocessing.exposure import expose_face
from cfrnet_ros.vision.restoration.crop_planes import CropPlanes
from cfrnet_ros.vision.restoration.grey import is_grey, take_colour_away
from cfrnet_ros.vision.restoration.registration import Registration
from cfrnet_ros.vision.types import RestoredFace
from training.data.crops import to_image, to_tensor
from training.experiments.recurrent.network import RecurrentCFRNet, joined, read, recurrent_from

Picture = NDArray[np.uint8]

#: FP32 file of the network that ships, and its name in the tables.
FP32, SHIPPED = MODEL_DIR / 'cfrnet_256_fp32.onnx', 'shipped'


@dataclass(frozen=True)
class Version:
    """A network, and what it is given beside the fused crop.

    Attributes:
        network: Network.
        given: One of `training.experiments.recurrent.network.GIVEN`.
        carries: Whether the last output is carried from frame to frame; otherwise the fused crop
            stands for it in every frame, as it does in the first.

    """

    network: RecurrentCFRNet
    given: str
    carries: bool = True

    @property
    def remembers(self) -> bool:
        """Whether a frame's result depends on the frames before."""
        return self.given == 'previous' and self.carries


def read_versions(
    model: Path, runs: Sequence[Path]
) -> tuple[dict[str, Version], dict[str, dict[str, Any]]]:
    """Read the networks that are compared.

    Args:
        model: Shipped FP32 file.
        runs: Folders of runs of `training.experiments.previous_output`.

    Returns:
        The networks by name, which is for a run what it is given, and for each run what its
        checkpoint tells about the training. A network that reads its last output is there twice,
        the second time without it.

    Raises:
        FileNotFoundError, ValueError: See `recurrent_from` and `read`.

    """
    versions = {SHIPPED: Version(recurrent_from(model), 'nothing')}
    trained = {}
    for run in runs:
        network, state = read(run)
        given = state['given']
        versions[given] = Version(network, given)
        if given == 'previous':
            versions['previous, not carried'] = Version(network, given, carries=False)
        kept = ('seed', 'steps', 'step', 'windows', 'seconds', 'model_sha256', 'code_version')
        trained[given] = {key: state[key] for key in kept}
    return versions, trained


class TrackRestorer:
    """Restores the crops of one track with one network, frame by frame."""

    def __init__(self, version: Version, size: int) -> None:
        """Begin without an output.

        Args:
            version: Network.
            size: Side of the crops in pixels.

        """
        self._version = version
        self._registration = Registration(size)
        self._last: tuple[CropPlanes, CropPlanes] | None = None

    def __call__(self, crop: Picture, gain: NDArray[np.float32] | None) -> Picture:
        """Restore the next crop.

        Args:
            crop: (N, N, 3) uint8 BGR fused crop.
            gain: Weight of the newest frame, (N/2, N/2); None where nothing was fused.

        Returns:
            (N, N, 3) uint8 BGR restored crop.

        """
        side = crop.shape[0]
        bright = expose_face(crop)
        now = CropPlanes.of(crop)
        previous = bright
        if self._last is not None and gain is not None and self._version.remembers:
            before, output = self._last
            flow = self._registration.between(now.small_luma, before.small_luma)
            if flow is not None:
                output = carried_planes(self._registration, output, flow)
            previous = output.crop()
        newest = (
            np.ones((side, side), np.float32) if gain is None else cv2.resize(gain, (side,) * 2)
        )
        given = joined(
            to_tensor(bright),
            to_tensor(previous),
            torch.from_numpy(np.asarray(newest, np.float32))[None, None],
            self._version.given,
        )
        with torch.no_grad():
            restored = to_image(self._version.network(given))
        if is_grey(crop):
            take_colour_away(restored, 2)
        self._last = (now, CropPlanes.of(restored))
        return restored


class Restorers:
    """Restores the faces of a clip with every version, each track apart."""

    def __init__(self, versions: Mapping[str, Version], size: int) -> None:
        """Begin without tracks.

        Args:
            versions: Networks by name.
            size: Side of the crops in pixels.

        """
        self._versions, self._size = versions, size
        self._tracks: dict[int, dict[str, TrackRestorer]] = {}

    def __call__(self, face: RestoredFace, wanted: bool) -> dict[str, Picture]:
        """Restore a face of the next frame.

        Args:
            face: Face.
            wanted: Whether all crops are wanted; otherwise only networks that remember are run.

        """
        track = self._tracks.setdefault(
            face.face.track_id,
            {name: TrackRestorer(one, self._size) for name, one in self._versions.items()},
        )
        gain = face.fusion.gain if face.fusion else None
        return {
            name: restore(face.fused, gain)
            for name, restore in track.items()
            if wanted or self._versions[name].remembers
        }
