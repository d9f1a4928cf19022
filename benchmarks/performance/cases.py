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

"""What is measured: a base case, and cases that differ from it in one respect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: Name in the results.
        changed: What differs from the base case, as the page says it.
        width: Width of the images in pixels.
        height: Height of the images in pixels.
        faces: Number of people in the images.
        cycles: Parameter `cycles`.
        fusion: Parameter `fusion`.
        compressed: Whether the images are JPEG.
        whole_frames: Whether the restored frame is received besides the crops.
        static: Parameters that the node reads at start.

    """

    name: str
    changed: str
    width: int = 640
    height: int = 480
    faces: int = 1
    cycles: int = 2
    fusion: float = 1.0
    compressed: bool = False
    whole_frames: bool = False
    static: Mapping[str, Any] = field(default_factory=dict)

    @property
    def node_name(self) -> str:
        """Name of the node that runs it: cases with one size and static parameters share one."""
        parts = [f'{self.width}x{self.height}']
        parts += ['jpeg'] * self.compressed
        parts += [f'{name}_{value}' for name, value in self.static.items()]
        return 'n' + '_'.join(parts)

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that the node is started with."""
        return {**self.static, **({'image_transport': 'compressed'} if self.compressed else {})}

    @property
    def frames_in_work(self) -> int:
        """Number of frames that the node works on at once."""
        return int(self.static.get('parallel_frames', 1))

    @property
    def dynamic(self) -> dict[str, Any]:
        """Parameters that are set before each run."""
        return {'cycles': self.cycles, 'fusion': self.fusion}


BASE = Case('base', '-')
_HD = replace(BASE, width=1280, height=720)
_FULL_HD = replace(BASE, width=1920, height=1080)
_PARALLEL = replace(
    BASE,
    name='parallel2',
    changed='parallel_frames: 2, threads: 1',
    static={'parallel_frames': 2, 'threads': 1},
)

#: All cases, in the order of the table.
CASES: tuple[Case, ...] = (
    BASE,
    *(replace(BASE, name=f'k{k}', changed=f'k = {k}', cycles=k) for k in (1, 3, 4)),
    replace(_HD, name='1280x720', changed='1280 x 720'),
    replace(_FULL_HD, name='1920x1080', changed='1920 x 1080'),
    *(replace(BASE, name=f'faces{n}', changed=f'{n} faces', faces=n) for n in (2, 3)),
    replace(BASE, name='jpeg', changed='JPEG', compressed=True),
    replace(_FULL_HD, name='jpeg_1920x1080', changed='1920 x 1080, JPEG', compressed=True),
    replace(BASE, name='no_fusion', changed='fusion off', fusion=0.0),
    replace(BASE, name='whole', changed='restored frame too', whole_frames=True),
    replace(
        _FULL_HD,
        name='whole_1920x1080',
        changed='1920 x 1080, restored frame too',
        whole_frames=True,
    ),
    replace(BASE, name='threads1', changed='threads: 1', static={'threads': 1}),
    replace(BASE, name='threads2', changed='threads: 2', static={'threads': 2}),
    _PARALLEL,
    *(
        replace(
            _PARALLEL,
            name=f'{_PARALLEL.name}_k{k}',
            changed=f'k = {k}, {_PARALLEL.changed}',
            cycles=k,
        )
        for k in (1, 3)
    ),
    replace(BASE, name='fp32', changed='model: fp32', static={'model': 'fp32'}),
)

#: Cases of the shortened run.
SHORT: tuple[Case, ...] = tuple(
    case for case in CASES if case.name in ('base', 'k1', 'no_fusion', 'faces2')
)
