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

"""Measured chunks on disk, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.evaluation.imports import files_sha256
from training.evaluation.meters import Readings

_ROOT = Path(__file__).resolve().parents[2]

#: Module that measures. What it imports decides what a figure is: a change measures afresh.
MEASURING = 'training.evaluation.work'


def code_sha256(root: Path = _ROOT) -> str:
    """Return one hash over the project's files that decide what a figure is.

    Args:
        root: Folder that holds the project's packages.

    Raises:
        FileNotFoundError: An imported module of the project has no file.

    """
    return files_sha256(MEASURING, root)


def save(path: Path, faces: Sequence[Readings], seconds: float) -> None:
    """Write a chunk whole or not at all.

    Args:
        path: Path of the file, ending in `.npz`.
        faces: Readings of the faces.
        seconds: Seconds that measuring them took on one core.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{'number': f.number, 'file': f.file, 'values': f.values} for f in faces]
    arrays = {'rows': np.array(json.dumps(rows)), 'seconds': np.array(seconds)}
    for face in faces:
        for stage, features in face.features.items():
            arrays[f'features/{face.number}/{stage}'] = features
    partial = path.with_name(f'{path.stem}.{os.getpid()}.partial.npz')
    np.savez(partial, allow_pickle=False, **arrays)
    os.replace(partial, path)


def load(path: Path) -> tuple[list[Readings], float] | None:
    """Read a chunk: its faces and the seconds it took, or None if it is not there or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            faces = [
                Readings(row['number'], row['file'], row['values'])
                for row in json.loads(str(arrays['rows']))
            ]
            by_number = {face.number: face for face in faces}
            for name in arrays.files:
                if name.startswith('features/'):
                    _, number, stage = name.split('/')
                    by_number[int(number)].features[stage] = arrays[name]
            return faces, float(arrays['seconds'])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
