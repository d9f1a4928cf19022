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

"""Writes the network of the eye guard as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from cfrnet_ros.vision.quality.eye_patches import PATCH_SIZE
from training.critics.eye_network import EyeNetwork

OPSET = 17

#: Largest difference from PyTorch that is no mistake of the export.
_TOLERANCE = 1e-4


def export_eyes(network: EyeNetwork, path: Path) -> Path:
    """Export a network and compare the file with it.

    Args:
        network: Trained network.
        path: Path of the ONNX file to write.

    Returns:
        The path.

    Raises:
        ValueError: The file measures differently than the network.

    """
    patches = torch.rand(6, 1, PATCH_SIZE[1], PATCH_SIZE[0]) * 255.0
    network.eval()
    with torch.no_grad():
        expected = network(patches).numpy()
        torch.onnx.export(
            network,
            (patches,),
            str(path),
            input_names=['patches'],
            output_names=['openness'],
            dynamic_axes={'patches': {0: 'n'}, 'openness': {0: 'n'}},
            opset_version=OPSET,
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    for count in (1, 6):
        found = session.run(None, {'patches': patches[:count].numpy()})[0]
        difference = float(np.abs(found - expected[:count]).max())
        if difference > _TOLERANCE:
            raise ValueError(f'{path} differs from the network by {difference:.1e}')
    return path
