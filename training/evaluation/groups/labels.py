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

"""Which groups a test face belongs to."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.crops import aligned
from training.data.manifest import FaceRecord
from training.evaluation.groups.skin import ita_deg
from training.metrics import FaceMesh

#: What was seen in the pictures by people who looked at all of them.
SEEN = Path(__file__).with_name('seen.tsv')

#: Sources that are photographed in a studio before a grey backdrop.
STUDIO = ('canada', 'london')

#: Least individual typology angle, in degrees, of light and of intermediate or tan skin: bounds of
#: Chardon, Cretois and Hourseau (1991).
LIGHT_DEG, INTERMEDIATE_DEG = 41.0, 10.0


#: Groups by the column `age` of what was seen.
_AGES: Mapping[str, str] = {'child': 'child', '': 'adult', 'old': 'about 60 and more'}


@dataclass(frozen=True)
class Dimension:
    """A property by which people are told apart.

    Attributes:
        name: Name for people.
        groups: Numbers of the faces by name of the group; who cannot be told is in none.

    """

    name: str
    groups: Mapping[str, tuple[int, ...]]


def read_seen(path: Path = SEEN) -> dict[str, dict[str, str]]:
    """Read what was seen.

    Args:
        path: Tab-separated file with the columns `file`, `glasses`, `age` and `skin`; lines that
            begin with # say what they mean.

    Returns:
        The columns by file name.

    """
    lines = [
        line for line in path.read_text(encoding='utf-8').splitlines() if not line.startswith('#')
    ]
    return {row['file']: row for row in csv.DictReader(lines, delimiter='\t')}


def label(records: Sequence[FaceRecord]) -> list[Dimension]:
    """Tell which groups the faces belong to.

    Glasses, age and skin in other light are compared among the photographs of one source, since
    all who wear glasses, and all children and old people, come from there.

    Args:
        records: Test faces in the order of their numbers.

    """
    seen, mesh = read_seen(), FaceMesh()
    skin: dict[str, list[int]] = {'light': [], 'intermediate or tan': [], 'brown or dark': []}
    other_skin: dict[str, list[int]] = {'brown or dark': [], 'other': []}
    glasses: dict[str, list[int]] = {'none': [], 'clear': [], 'sun': []}
    age: dict[str, list[int]] = {group: [] for group in _AGES.values()}
    source: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        found = seen.get(record.path.name, {})
        source.setdefault(record.source, []).append(number)
        if record.source in STUDIO:
            crop = aligned(record)
            angle = ita_deg(crop, mesh(crop).points)
            if not math.isnan(angle):
                skin[_skin_group(angle)].append(number)
            continue
        other_skin['brown or dark' if found.get('skin') else 'other'].append(number)
        glasses[found.get('glasses') or 'none'].append(number)
        age[_AGES[found.get('age') or '']].append(number)
    return [
        _dimension('Skin, studio light', skin),
        _dimension('Skin, other light', other_skin),
        _dimension('Glasses', glasses),
        _dimension('Age, by looks', age),
        _dimension('Source', source),
    ]


def _skin_group(angle: float) -> str:
    if angle > LIGHT_DEG:
        return 'light'
    return 'intermediate or tan' if angle > INTERMEDIATE_DEG else 'brown or dark'


def _dimension(name: str, groups: Mapping[str, Sequence[int]]) -> Dimension:
    return Dimension(name, {group: tuple(numbers) for group, numbers in groups.items() if numbers})
