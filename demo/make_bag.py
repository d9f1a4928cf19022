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

"""Makes the demo's bag: `python -m demo.make_bag FOLDER`.

Topics: `/dms/image_raw` has the pictures of the bad camera, `/dms/truth/compressed` those of a
perfect one (JPEG of quality 98), both with the same stamps, and `/dms/condition` names the
condition of the camera from that time on. The same seed gives the same bag.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from demo.bad_camera import CONDITIONS
from demo.bag_frames import START_NS, CameraBag
from demo.scene import Scene

FPS = 15
FRAMES_PER_CONDITION = 26
SEED = 7


def make_bag(path: Path, seed: int = SEED) -> int:
    """Write the bag.

    Args:
        path: Folder to create; it must not exist yet.
        seed: Seed of the movement and the noise.

    Returns:
        Number of frames.

    Raises:
        BagError: The folder exists or cannot be written.

    """
    scene = Scene(seed)
    rng = np.random.default_rng(seed)
    total = FRAMES_PER_CONDITION * len(CONDITIONS)
    with CameraBag(path) as bag:
        for index in tqdm(range(total), desc='making the bag', unit='frame', mininterval=0.5):
            number, within = divmod(index, FRAMES_PER_CONDITION)
            name, condition, truth_of = CONDITIONS[number]
            now_ns = START_NS + index * 10**9 // FPS
            if within == 0:
                bag.label(now_ns, name)
            clean = scene.frame(index / FPS)
            bag.frame(now_ns, condition(clean, within / FPS, rng), truth_of(clean))
    return total


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder of the bag to create')
    parser.add_argument('--seed', type=int, default=SEED)
    arguments = parser.parse_args()
    frames = make_bag(arguments.folder, arguments.seed)
    print(f'{frames} frames in {arguments.folder}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
