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

"""The network that a shipped FP32 file holds, as PyTorch runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from training.export.camera_format import fold
from training.networks.build import build_network
from training.networks.config import NetworkConfig
from training.run.checkpoint import load_run
from training.run.config import modernise

#: What `training.export` wraps a network in, as its weights' names tell.
_PREFIX = 'network.'


def read_model(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Rebuild the network of a shipped FP32 model.

    Args:
        path: ONNX file with its model card (same name, .json) beside it.

    Returns:
        The network, RGB in 0..1, in evaluation mode, and the card, whose config has the keys
        of today.

    Raises:
        FileNotFoundError: Model or card are missing.
        ValueError: The file is not the FP32 file of a run, or holds another layout than its card's.

    """
    for wanted in (path, path.with_suffix('.json')):
        if not wanted.is_file():
            raise FileNotFoundError(f"'{wanted}' is missing; a model and its card are needed")
    card = json.loads(path.with_suffix('.json').read_text(encoding='utf-8'))
    if card.get('precision') != 'fp32' or 'config' not in card.get('training', {}):
        raise ValueError(f"'{path}' is not the FP32 file of a training run; give that one")
    card['training']['config'] = modernise(card['training']['config'])
    network = build_network(NetworkConfig.read(card['training']['config']['network']))
    initializers = onnx.load(path).graph.initializer
    weights = {
        tensor.name.removeprefix(_PREFIX): torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in initializers
        if tensor.name.startswith(_PREFIX)
    }
    expected = network.state_dict()
    try:
        network.load_state_dict({k: v for k, v in weights.items() if k in expected})
    except RuntimeError as error:
        raise ValueError(
            f"'{path}' does not hold the layout that its card names: {str(error).splitlines()[0]}"
        ) from error
    if card['dtype'] == 'uint8':
        # The export folded colour order and range in; folding by the inverse takes them out.
        network.load_state_dict(fold(network, 1.0 / 255.0).state_dict())
    return network.eval(), card


def read_network(path: Path) -> nn.Module:
    """Return the network of a run's folder (its averaged weights) or of a shipped FP32 file.

    Raises:
        FileNotFoundError, ValueError: See `load_run` and `read_model`.

    """
    return load_run(path)[0] if path.is_dir() else read_model(path)[0]
