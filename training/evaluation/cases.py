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

"""The test faces: who they are, and how each is degraded."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.crops import aligned, to_image, to_tensor
from training.data.manifest import FaceRecord, manifest_sha256, read_manifest
from training.degradation import SAMPLERS
from training.evaluation.protocol import CLEAN, REAL, SEED, SETS


@dataclass(frozen=True)
class Case:
    """One face as a model gets it.

    Attributes:
        number: Index of the face in the list of its set, from 0.
        file: Name of the image.
        degraded: (256, 256, 3) uint8 BGR.
        truth: (256, 256, 3) uint8 BGR, or None where nobody knows it.

    """

    number: int
    file: str
    degraded: NDArray[np.uint8]
    truth: NDArray[np.uint8] | None


class CaseSet:
    """The faces of one set; every face always gets the same degradation.

    Attributes:
        name: Name of the set: one of `SETS`, `REAL` or `CLEAN`.
        seed: Seed of the degradations: face i of a set gets (seed, the set's number, i).
        records: Faces in the order of their file names.

    """

    def __init__(self, data: Path, name: str, seed: int = SEED) -> None:
        """Read the list.

        Args:
            data: Folder with MANIFEST.tsv.
            name: Name of the set: one of `SETS`, `REAL` or `CLEAN`.
            seed: Seed of the degradations.

        Raises:
            FileNotFoundError: The manifest, or the list of real faces, is missing.
            ValueError: There is no such set, or it has no face.

        """
        if name not in (*SETS, REAL, CLEAN):
            raise ValueError(f'unknown set {name!r}; known are {[*SETS, REAL, CLEAN]}')
        self.name, self.seed = name, seed
        self.records = _real_faces(data) if name == REAL else read_manifest(data, 'test')
        self._manifest = manifest_sha256(data)
        self._digest = ''

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.records)

    def case(self, number: int) -> Case:
        """Return one face, degraded.

        The degraded image and its truth are rounded to eight bits, as a camera's are.
        """
        record = self.records[number]
        crop = aligned(record)
        if self.name == REAL:
            return Case(number, record.path.name, crop, None)
        if self.name == CLEAN:
            return Case(number, record.path.name, crop, crop)
        rng = np.random.default_rng((self.seed, SETS.index(self.name), number))
        plan = SAMPLERS[self.name](rng)
        clean = to_tensor(crop)
        return Case(number, record.path.name, to_image(plan(clean)), to_image(plan.truth(clean)))

    def digest(self) -> str:
        """Return a hash of who is in the set, of their images and where their landmarks are."""
        if not self._digest:
            digest = hashlib.sha256(self._manifest.encode())
            for record in self.records:
                digest.update(record.path.name.encode() + record.landmarks.tobytes())
                # Images can be compressed again under the same name.
                digest.update(record.path.read_bytes())
            self._digest = digest.hexdigest()
        return self._digest


def has_real_faces(data: Path) -> bool:
    """Whether a folder of faces holds real low-quality ones."""
    try:
        return bool(_real_faces(data))
    except (FileNotFoundError, ValueError):
        return False


def _real_faces(data: Path) -> list[FaceRecord]:
    """Read the split `real_lq` of the manifest, or else the list beside its images."""
    try:
        return read_manifest(data, REAL)
    except ValueError:
        listing = data / REAL / 'SOURCES.tsv'
        if not listing.is_file():
            raise FileNotFoundError(
                f'there are no real low-quality faces: neither has {data / "MANIFEST.tsv"} a '
                f'split {REAL!r}, nor is there {listing} (columns file, source, landmarks5); '
                f'leave the set out with --sets {" ".join(SETS)}'
            ) from None
    with listing.open(newline='', encoding='utf-8') as stream:
        rows = [row for row in csv.DictReader(stream, delimiter='\t') if row['landmarks5']]
    if not rows:
        raise ValueError(f'{listing} lists no face with landmarks')
    records = [
        FaceRecord(
            listing.parent / row['file'],
            row['source'],
            row['file'],
            False,
            np.array([float(v) for v in row['landmarks5'].split(',')]).reshape(5, 2),
        )
        for row in rows
    ]
    return sorted(records, key=lambda record: record.path.name)
