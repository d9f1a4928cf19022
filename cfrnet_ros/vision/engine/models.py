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

"""Finds the models that are shipped with the package by the values of the parameter `model`."""

from __future__ import annotations

from pathlib import Path

from cfrnet_ros.vision.errors import ModelError

#: Folder of the shipped ONNX files and their cards.
MODEL_DIR = Path(__file__).resolve().parents[2] / 'models'

#: Parameter values that stand for a shipped network in the precision that suits the provider,
#: and the beginnings of the names of its files.
FAMILIES = {'auto': 'cfrnet_256', 'plain': 'cfrnet_plain_256'}

#: Precisions in which the networks ship.
PRECISIONS = ('fp32', 'int8')


def shipped_models() -> dict[str, Path]:
    """List the restorers that are shipped with the package.

    Returns:
        Paths by name (the file's stem, for instance 'cfrnet_256_int8'), sorted by name.

    """
    return {path.stem: path for path in sorted(MODEL_DIR.glob('*.onnx'))}


def resolve_model(name_or_path: str, preferred: str = 'int8') -> Path:
    """Find the file that a value of the parameter `model` stands for.

    Args:
        name_or_path: 'auto' (the preferred precision), 'fp32' or 'int8' for the main network;
            'plain', 'plain_fp32' or 'plain_int8' for the network without skip connections; the
            name of a shipped model; or the path of any ONNX file (`~` is allowed).
        preferred: Precision that suits the provider that will run the model, one of `PRECISIONS`;
            see `provider_records.Provider.precision`.

    Returns:
        Path of an existing file.

    Raises:
        ModelError: The model does not exist; the message lists those that do.

    """
    if preferred not in PRECISIONS:
        raise ValueError(f"preferred must be one of {', '.join(PRECISIONS)}, not '{preferred}'")
    shipped = shipped_models()
    wanted = name_or_path.strip()
    for name in (wanted, *_stems(wanted, preferred)):
        if name in shipped:
            return shipped[name]
    path = Path(wanted).expanduser()
    if wanted and path.is_file():
        return path
    raise ModelError(
        f"there is no model '{name_or_path}'; give auto, fp32, int8, plain, plain_fp32, "
        'plain_int8, the path of an ONNX file, or one of the shipped models: '
        f'{", ".join(shipped) or "none (the installation is incomplete)"}'
    )


def alternatives(model: Path) -> tuple[Path, ...]:
    """List the files of the same network in other precisions.

    Args:
        model: Path of a model; only a shipped one has alternatives.

    Returns:
        Paths of shipped models, in the order in which to try them.

    """
    shipped = shipped_models()
    if shipped.get(model.stem) != model:
        return ()
    stem = model.stem.rpartition('_')[0]
    names = (f'{stem}_{precision}' for precision in PRECISIONS)
    return tuple(shipped[name] for name in names if name in shipped and name != model.stem)


def _stems(wanted: str, preferred: str) -> list[str]:
    """Return the names of the files that a short name can stand for, the preferred one first."""
    ordered = sorted(PRECISIONS, key=lambda precision: precision != preferred)
    for family, stem in FAMILIES.items():
        if wanted == family:
            return [f'{stem}_{precision}' for precision in ordered]
        for precision in PRECISIONS:
            if wanted == (precision if family == 'auto' else f'{family}_{precision}'):
                return [f'{stem}_{precision}']
    return []
