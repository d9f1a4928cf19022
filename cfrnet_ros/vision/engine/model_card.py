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

"""Model card: facts about a restorer that its file does not contain, kept beside the weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cfrnet_ros.vision.engine.card_file import EXAMPLE, card_path, read_card
from cfrnet_ros.vision.engine.external_data import check_external_data
from cfrnet_ros.vision.errors import ModelError, reason_of
from cfrnet_ros.vision.preprocessing.align import FFHQ_TEMPLATE

#: Prefix of the card's keys among the metadata of an ONNX file.
METADATA_PREFIX = 'cfrnet.'

_DTYPES = {'tensor(float)': 'float32', 'tensor(uint8)': 'uint8'}
_KNOWN = {
    'name',
    'size',
    'dtype',
    'value_range',
    'layout',
    'colour',
    'template',
    'iterative',
    'expose',
    'precision',
    'licence',
    'sha256',
    'golden',
    'training',
}


@dataclass(frozen=True)
class ModelCard:
    """Facts about a restorer that the rest of the program needs.

    Attributes:
        name: Name of the model, for messages.
        file: Path of the ONNX file.
        size: Side N of the square input and output, in pixels.
        dtype: Data type of input and output, 'float32' or 'uint8'.
        value_range: Values of black and of white.
        layout: Memory layout, 'NCHW' or 'NHWC'; the batch is 1.
        colour: Order of the channels, 'RGB' or 'BGR'.
        template: (5, 2) float64 positions of the landmarks in an aligned crop, as fractions
            of its side; the target of `align.similarity_transform`.
        iterative: Whether the output may be fed back as the next input.
        expose: Whether the model was trained on faces that were brightened where underexposed, and
            expects them as `colour_noise.prepare_face` makes them; False if the card does not state
            it.
        precision: Precision of the weights, 'fp32' or 'int8', for information.
        licence: Licence of the weights, or '' if the card does not state it.
        sha256: Hexadecimal digest of the ONNX file.
        golden: Description of the golden crops that `golden.load_golden` reads; empty if the
            card has none.
        training: Description of the training run of the weights, in free form.
        extra: Other entries of the card.
        assumed: Facts that neither card nor file states and that were assumed; the node logs
            them.

    """

    name: str
    file: Path
    size: int
    dtype: str
    value_range: tuple[float, float]
    layout: str
    colour: str
    template: NDArray[np.float64]
    iterative: bool
    precision: str
    licence: str
    sha256: str
    golden: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    expose: bool = False
    assumed: tuple[str, ...] = ()

    @property
    def channels_first(self) -> bool:
        """Whether the model's image has the shape (3, N, N); otherwise it has (N, N, 3)."""
        return self.layout == 'NCHW'

    @property
    def channel_axis(self) -> int:
        """Index of the channel axis in one image, without the batch."""
        return 0 if self.channels_first else 2


def load_card(model: str | Path) -> ModelCard:
    """Describe a restorer from its card, its metadata and its inputs and outputs.

    The JSON or YAML file beside the model takes precedence over metadata in the ONNX file (keys
    with the prefix `cfrnet.`, values in JSON), and the metadata over what the graph shows.
    Missing facts are assumed (range 0..1, RGB, FFHQ landmarks, one application) and listed in
    `assumed`.

    Args:
        model: Path of the ONNX file.

    Returns:
        Card of the model.

    Raises:
        ModelError: A file is missing or unreadable, the digest in the card is not that of the
            file, the file keeps weights outside of its folder, the card contradicts the graph or
            itself, or the model does not have one square three-channel image as its input and one
            as its output.

    """
    path = Path(model)
    if not path.is_file():
        raise ModelError(f"there is no model file '{path}'; give the path of an ONNX file")
    digest = _sha256(path)
    stated = read_card(card_path(path))
    promised = str(stated.get('sha256', digest)).lower()
    if promised != digest:
        raise ModelError(
            f"'{path}' is not the file that its card describes (sha256 {digest[:12]}..., the card "
            f'says {promised[:12]}...); fetch or export both together again'
        )
    check_external_data(path)
    graph, metadata = _inspect(path)
    values: dict[str, Any] = {**metadata, **stated}
    for key in ('size', 'dtype', 'layout'):
        if key in values and key in graph and values[key] != graph[key]:
            raise ModelError(
                f"the card of '{path}' says {key} {values[key]!r}, but the file has "
                f'{graph[key]!r}; correct {card_path(path)}'
            )
    values = {**graph, **values}
    if 'size' not in values or 'layout' not in values:
        raise ModelError(
            f"'{path}' does not fix the size of its image; state it in {card_path(path)}, "
            f'for example {EXAMPLE}'
        )
    assumed = _fill_in(values)
    return _checked(path, digest, values, assumed)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as stream:
        for block in iter(lambda: stream.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def _inspect(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the ONNX file itself shows: facts of its graph, and its metadata."""
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(str(path), settings, providers=['CPUExecutionProvider'])
    except Exception as error:
        raise ModelError(
            f"ONNX Runtime cannot load '{path}': {reason_of(error)}; is it a complete ONNX file?"
        ) from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        found = ', '.join(f'{item.name} {item.shape}' for item in inputs)
        raise ModelError(
            f"'{path}' is not a face restorer: it must take one image of shape (1, 3, N, N) or "
            f'(1, N, N, 3), but takes: {found}'
        )
    if inputs[0].type not in _DTYPES:
        raise ModelError(
            f"'{path}' has an input of {inputs[0].type}; only float32 and uint8 are supported:"
            f' export the model with one of them'
        )
    graph: dict[str, Any] = {'dtype': _DTYPES[inputs[0].type]}
    shape = inputs[0].shape
    if shape[1] == 3:
        graph['layout'], sides = 'NCHW', shape[2:]
    elif shape[3] == 3:
        graph['layout'], sides = 'NHWC', shape[1:3]
    elif any(isinstance(side, int) and side > 0 for side in (shape[1], shape[3])):
        raise ModelError(
            f"'{path}' is not a face restorer: its input {shape} has no axis of three channels"
        )
    else:
        sides = []
    fixed = {side for side in sides if isinstance(side, int) and side > 0}
    if len(fixed) > 1:
        raise ModelError(f"'{path}' takes images of {sides[0]}x{sides[1]}, which is not square")
    if fixed:
        graph['size'] = fixed.pop()

    metadata: dict[str, Any] = {}
    for key, text in session.get_modelmeta().custom_metadata_map.items():
        if key.startswith(METADATA_PREFIX):
            try:
                metadata[key[len(METADATA_PREFIX) :]] = json.loads(text)
            except ValueError:
                # Plain words need no quotes in the metadata.
                metadata[key[len(METADATA_PREFIX) :]] = text
    # A file cannot contain its own digest.
    metadata.pop('sha256', None)
    return graph, metadata


def _fill_in(values: dict[str, Any]) -> tuple[str, ...]:
    """Add assumed values for missing ones, in place; return the assumptions in words."""
    assumed = []
    if 'value_range' not in values:
        values['value_range'] = [0, 255] if values.get('dtype') == 'uint8' else [0, 1]
        if values.get('dtype') != 'uint8':
            assumed.append('value_range [0, 1]')
    if 'colour' not in values:
        values['colour'] = 'RGB'
        assumed.append('colour RGB')
    if 'template' not in values:
        values['template'] = FFHQ_TEMPLATE
        assumed.append('template of FFHQ')
    if 'iterative' not in values:
        values['iterative'] = False
        assumed.append('iterative false (cycles above 1 have no effect)')
    return tuple(assumed)


def _checked(
    path: Path, digest: str, values: Mapping[str, Any], assumed: tuple[str, ...]
) -> ModelCard:
    where = f"the card of '{path}'"

    def one_of(key: str, choices: tuple[Any, ...]) -> Any:
        if values[key] not in choices:
            raise ModelError(f'{where}: {key} must be one of {choices}, not {values[key]!r}')
        return values[key]

    size = values['size']
    if isinstance(size, bool) or not isinstance(size, int) or not 16 <= size <= 4096:
        raise ModelError(f'{where}: size must be a whole number from 16 to 4096, not {size!r}')
    try:
        low, high = (float(value) for value in values['value_range'])
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not np.isfinite([low, high]).all() or low == high:
        raise ModelError(
            f'{where}: value_range must be two different numbers, for black and for white, '
            f'not {values["value_range"]!r}'
        )
    try:
        template = np.array(values['template'], dtype=np.float64)
    except (TypeError, ValueError):
        template = np.empty(0)
    if template.shape != (5, 2) or not np.isfinite(template).all() or np.ptp(template) < 0.05:
        raise ModelError(
            f'{where}: template must be five [x, y] pairs, as fractions of the side, in the order '
            'image-left eye, image-right eye, nose tip, image-left and image-right mouth corner'
        )
    template.setflags(write=False)
    training = values.get('training', {})
    golden = values.get('golden', {})
    return ModelCard(
        name=str(values.get('name', path.stem)),
        file=path,
        size=size,
        dtype=one_of('dtype', ('float32', 'uint8')),
        value_range=(low, high),
        layout=one_of('layout', ('NCHW', 'NHWC')),
        colour=one_of('colour', ('RGB', 'BGR')),
        template=template,
        iterative=one_of('iterative', (True, False)),
        expose=one_of('expose', (True, False)) if 'expose' in values else False,
        precision=str(values.get('precision', 'fp32')),
        licence=str(values.get('licence', '')),
        sha256=digest,
        golden=golden if isinstance(golden, dict) else {'stated': golden},
        training=training if isinstance(training, dict) else {'run': training},
        extra={key: value for key, value in values.items() if key not in _KNOWN},
        assumed=assumed,
    )
