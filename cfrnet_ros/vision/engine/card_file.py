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

"""The file of a model card: JSON, or a small YAML file for a restorer of another origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cfrnet_ros.vision.errors import ModelError

#: Card with every fact that matters, shown in error messages.
EXAMPLE = (
    '{"size": 512, "dtype": "float32", "value_range": [-1, 1], "layout": "NCHW", '
    '"colour": "RGB", "iterative": false}'
)


def card_path(model: str | Path) -> Path:
    """Return the path of a model's card: the same name, with the ending `.json`.

    The card is a YAML file, with the ending `.yaml`, if there is such a file and none in JSON.
    """
    json_card, yaml_card = (Path(model).with_suffix(end) for end in ('.json', '.yaml'))
    return yaml_card if yaml_card.is_file() and not json_card.is_file() else json_card


def read_card(path: Path) -> dict[str, Any]:
    """Return the content of a card; empty if there is no such file.

    Args:
        path: Path of the card, see `card_path`.

    Raises:
        ModelError: The file cannot be read, holds no object, or is YAML where PyYAML is missing.

    """
    if not path.is_file():
        return {}
    kind = 'YAML' if path.suffix == '.yaml' else 'JSON'
    try:
        text = path.read_text(encoding='utf-8')
        content = _read_yaml(text, path) if kind == 'YAML' else json.loads(text)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the model card '{path}' cannot be read: {error}; it must be {kind} like {EXAMPLE}"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"the model card '{path}' must be a {kind} object like {EXAMPLE}")
    return content


def _read_yaml(text: str, path: Path) -> Any:
    try:
        # Only who writes a card in YAML needs the package, which every ROS 2 has.
        import yaml
    except ImportError as error:
        raise ModelError(
            f"the model card '{path}' needs the Python package pyyaml; install it, or state the "
            f'same in {path.with_suffix(".json").name}'
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(' '.join(str(error).split())) from error
