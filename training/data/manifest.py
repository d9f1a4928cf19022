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

"""The manifest of a folder of faces: who is in it, and where the landmarks are."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FaceRecord:
    """One row of the manifest.

    Attributes:
        path: Path of the image.
        source: Name of the collection that the image comes from.
        person: Identifier of the person; images of one person have the same.
        synthetic: Whether a generator made the face.
        landmarks: (5, 2) float64 pixels, in the template's order.

    """

    path: Path
    source: str
    person: str
    synthetic: bool
    landmarks: NDArray[np.float64]


def read_manifest(root: Path, split: str) -> list[FaceRecord]:
    """Read one split of ``MANIFEST.tsv``, sorted by file name.

    Raises:
        FileNotFoundError: The manifest is missing.
        ValueError: The split is empty.

    """
    manifest = root / 'MANIFEST.tsv'
    if not manifest.is_file():
        raise FileNotFoundError(f'{manifest} is missing: pass the folder of faces that holds it')
    records = []
    with manifest.open(newline='', encoding='utf-8') as stream:
        for row in csv.DictReader(stream, delimiter='\t'):
            if row['split'] != split or not row['landmarks5']:
                continue
            points = np.array([float(v) for v in row['landmarks5'].split(',')]).reshape(5, 2)
            records.append(
                FaceRecord(
                    root / split / row['file'],
                    row['source'],
                    row['person'],
                    row['synthetic'] == '1',
                    points,
                )
            )
    if not records:
        raise ValueError(f'{manifest} lists no face with landmarks in split {split!r}')
    return sorted(records, key=lambda r: r.path.name)


def read_names(path: Path) -> set[str]:
    """Read a list of file names, one a line; lines that begin with # say why.

    Raises:
        FileNotFoundError: The list is missing.

    """
    if not path.is_file():
        raise FileNotFoundError(f'{path}, the list of images to leave out, is missing')
    lines = path.read_text(encoding='utf-8').splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith('#')}


def manifest_sha256(root: Path) -> str:
    """Return the hash of the manifest: it names every file, so it names the data."""
    return hashlib.sha256((root / 'MANIFEST.tsv').read_bytes()).hexdigest()
