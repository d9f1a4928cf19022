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

"""Measures `strength` after fusion: ``python -m benchmarks.fusion_strength --clips FOLDER``.

The crop that is passed on is a mean of what several frames have measured and of what the network
made of it, with the weight `strength` for the latter. Clips are filmed by bad cameras as in
`benchmarks.fusion`, and the mean is compared with the truth for some strengths and numbers of
cycles. The benchmark needs the training requirements, and writes
``benchmarks/fusion_strength.json`` and the table of ``docs/fusion.md``.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from benchmarks.fusion import make_pipeline, measured_faces
from benchmarks.fusion_clips import CAMERAS, Camera, film, read_clip
from benchmarks.fusion_comparison import Distances, Record, compare
from cfrnet_ros.vision.restoration.strength import mix

#: Largest number of cycles, and strengths that are compared.
CYCLES, STRENGTHS = 3, (0.5, 0.75, 1.0)

#: Cameras that are compared: all but the one whose pictures are the truth.
NAMES = [camera.name for camera in CAMERAS if camera.name != 'clean']

#: Name of the crop as the network gets it, which is that of strength 0 for every k.
MEASURED = 'strength 0'


def measure(camera: Camera, clip: Path) -> list[Record]:
    """Film a clip and measure its faces.

    Returns:
        Degrees from the truth, PSNR in dB and LPIPS of each measured frame, by version.

    """
    pipeline, restorer = make_pipeline()
    distances = Distances(restorer.card)
    found: list[Record] = []
    for shot, face in measured_faces(pipeline, film(camera, clip.stem, read_clip(clip))):
        measured = restorer.prepared(face.fused)
        crops = {MEASURED: measured}
        for cycle in islice(restorer.cycles(face.fused), CYCLES):
            k, restored = cycle.number, cycle.crop()
            crops |= {f'k = {k}, {s:g}': mix(measured, restored, s) for s in STRENGTHS}
        found.append(distances(shot.truth_crop(face.affine, measured.shape[0]), crops))
    return found


if __name__ == '__main__':
    compare('fusion_strength', __doc__ or '', measure, NAMES, 'strength')
