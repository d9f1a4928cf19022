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

"""Quality of one row on the evaluation's faces, with the evaluation's metrics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from cfrnet_ros.vision.preprocessing.exposure import expose_face
from training.evaluation import cache
from training.evaluation.cases import Case, CaseSet
from training.evaluation.meters import Meters, Readings
from training.evaluation.protocol import REAL, TRUTH, Coverage, Share

Picture = NDArray[np.uint8]

#: Gives each cycle's output for a crop as a camera gives it; one output if it has no cycles.
Restore = Callable[[Picture], Sequence[Picture]]

#: Faces a file of the cache: what a kill costs at most.
CHUNK = 10

_REFERENCE_FREE = ('niqe', 'identity', 'mesh', 'detection', 'features')
_WITH_TRUTH = ('psnr', 'ssim', 'ms_ssim', 'lpips', *_REFERENCE_FREE)

#: Every n-th person is measured by DISTS, the slowest metric.
DISTS_EVERY = 5


def brightened(restore: Callable[[Picture], Picture]) -> Restore:
    """Return a restorer of one pass that brightens the crop first, as the node does for ours."""
    return lambda crop: [restore(expose_face(crop))]


def coverage(name: str, cycles: int, truth: bool) -> Coverage:
    """Return what is measured of every row alike.

    Args:
        name: Name of the set.
        cycles: Largest k.
        truth: Whether the undegraded faces are measured as well.

    """
    share = Share(tuple(range(1, cycles + 1)))
    if name == REAL:
        return Coverage(dict.fromkeys(_REFERENCE_FREE, share))
    shares = dict.fromkeys(_WITH_TRUTH, share)
    shares['dists'] = Share(share.cycles, every=DISTS_EVERY)
    if truth:
        both = Share(share.cycles, truth=True)
        shares.update({group: both for group in ('niqe', 'mesh', 'detection', 'features')})
    return Coverage(shares)


class Quality:
    """Measures rows; what was measured before comes from the cache."""

    def __init__(self, data: Path, folder: Path, faces: int) -> None:
        """Load nothing yet.

        Args:
            data: Folder with MANIFEST.tsv.
            folder: Folder of the cache.
            faces: People of each set, spread over its list; 0 for all.

        """
        self._data, self._folder, self._limit = data, folder, faces
        self._meters = Meters()
        self._cases: dict[str, CaseSet] = {}
        self._code = cache.code_sha256()

    def cases(self, name: str) -> CaseSet:
        """Return the faces of a set."""
        if name not in self._cases:
            self._cases[name] = CaseSet(self._data, name)
        return self._cases[name]

    def measure(
        self, name: str, restore: Restore, identity: str, cycles: int, every: int, truth: bool
    ) -> list[Readings]:
        """Measure one row on one set.

        Args:
            name: Name of the set.
            restore: Restorer.
            identity: String that changes whenever the restorer's outputs would.
            cycles: Largest k.
            every: Every n-th person is measured.
            truth: See `coverage`.

        Returns:
            The readings, in the order of the faces' numbers.

        """
        cases = self.cases(name)
        plan = coverage(name, cycles, truth)
        count = min(len(cases), self._limit or len(cases))
        # The list is in the order of the sources: its beginning would be one of them.
        spread = np.unique(np.linspace(0, len(cases) - 1, count).astype(int))
        numbers = [int(n) for n in spread[::every]]
        found: list[Readings] = []
        for first in tqdm(range(0, len(numbers), CHUNK), desc=f'{identity[:24]} {name}'):
            chunk = tuple(numbers[first : first + CHUNK])
            path = self._path(name, identity, chunk, plan)
            stored = cache.load(path)
            if stored is None:
                faces = [self._face(cases.case(n), restore, cycles, plan) for n in chunk]
                cache.save(path, faces, 0.0)
                found += faces
            else:
                found += stored[0]
        return found

    def _path(self, name: str, identity: str, chunk: tuple[int, ...], plan: Coverage) -> Path:
        versions = [torch.__version__, cv2.__version__, np.__version__]
        cases = self.cases(name)
        key = [identity, name, cases.seed, cases.digest(), chunk, plan.describe(), self._code]
        digest = hashlib.sha256(json.dumps([*key, versions]).encode()).hexdigest()[:24]
        return self._folder / f'{name}-{digest}.npz'

    def _face(self, case: Case, restore: Restore, cycles: int, plan: Coverage) -> Readings:
        readings = Readings(case.number, case.file)
        pictures = list(restore(case.degraded))[:cycles]
        stages = {str(k): picture for k, picture in enumerate([case.degraded, *pictures])}
        self._meters.measure(readings, stages, case.truth, plan)
        return readings


def means(faces: Sequence[Readings]) -> dict[str, dict[str, float]]:
    """Return the means by cycle and metric, and the number of people of each mean.

    Args:
        faces: Readings of one row on one set.

    Returns:
        By cycle ('1', '2'..., 'truth') the means by metric, rounded; `identity_failures` is the
        share of faces that SFace no longer takes for the same person.

    """
    table: dict[str, dict[str, list[float]]] = {}
    for face in faces:
        for stage, values in face.values.items():
            for metric, value in values.items():
                if np.isfinite(value):
                    table.setdefault(stage, {}).setdefault(metric, []).append(value)
    result: dict[str, dict[str, float]] = {}
    for stage, columns in sorted(table.items(), key=lambda item: (item[0] == TRUTH, item[0])):
        row = {metric: float(f'{np.mean(v):.5g}') for metric, v in sorted(columns.items())}
        if 'match' in row:
            row['identity_failures'] = round(1.0 - row['match'], 4)
        result[stage] = row
    return result


def features(faces: Sequence[Readings], stage: str) -> list[NDArray[np.float16]]:
    """Return the features of a stage, for distances between sets."""
    found: list[Mapping[str, NDArray[np.float16]]] = [face.features for face in faces]
    return [entry[stage] for entry in found if stage in entry]
