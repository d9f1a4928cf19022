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

"""Makes a bag of a person who blinks at known times: `python -m demo.blinks_bag FOLDER`.

The person is that of `blinks`. The topics are those of the demo's bag (see `demo.make_bag`) and
`/dms/truth/eye_openness`, a std_msgs/Float32 per frame, recorded at the frame's time: 1 for open
eyes, 0 for shut ones. The same seed gives the same bag.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rclpy.serialization import serialize_message
from std_msgs.msg import Float32

from demo.bad_camera import CONDITIONS
from demo.bag_frames import START_NS, CameraBag
from demo.blinks import SECONDS, Script, shots, write_script

OPENNESS_TOPIC = '/dms/truth/eye_openness'
SEED = 12


def make_bag(
    path: Path, condition: str = 'Low light', seed: int = SEED, seconds: float = SECONDS
) -> Script:
    """Write the bag.

    Args:
        path: Folder to create; it must not exist yet.
        condition: Name of a condition in `bad_camera.CONDITIONS`.
        seed: Seed of blinks, movement and noise.
        seconds: Length of the filmed part of the scene, in seconds.

    Returns:
        Movements of the lids in the whole scene.

    Raises:
        BagError: The folder exists or cannot be written.
        KeyError: The condition does not exist.

    """
    script = write_script(seed)
    with CameraBag(path) as bag:
        bag.add_topic(OPENNESS_TOPIC, 'std_msgs/msg/Float32')
        bag.label(START_NS, condition)
        for shot in shots(condition, script, seed, seconds):
            now_ns = START_NS + round(shot.time_s * 1e9)
            bag.frame(now_ns, shot.seen, shot.truth)
            openness = serialize_message(Float32(data=shot.openness))
            bag.write_canonical(OPENNESS_TOPIC, now_ns, openness)
    return script


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder of the bag to create')
    parser.add_argument(
        '--condition', default='Low light', choices=sorted(name for name, _, _ in CONDITIONS)
    )
    parser.add_argument('--seed', type=int, default=SEED)
    given = parser.parse_args(arguments)
    script = make_bag(given.folder, given.condition, given.seed)
    for closure in script.closures:
        print(f'{closure.start_s:6.2f} s to {closure.end_s:6.2f} s')
    return 0


if __name__ == '__main__':
    sys.exit(main())
