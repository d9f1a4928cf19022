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

"""Measures whole frames at 1280x720 and 15 frames a second: ``python -m benchmarks.whole_frame``.

The benchmark plays a bag of a moving face over DDS into the real node, with a subscriber to
``~/image_restored``, and counts the frames that come out in time. The share of frames that were not
dropped, and the time of a frame as a share of the camera's interval, can be compared between
machines.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import machine
from cfrnet_ros.replay.frames import PROCESSED, FrameRow, collect_frames
from cfrnet_ros.replay.plan import DEBUG_TOPIC, FUSED_TOPIC, RECORDED, ReplayPlan
from cfrnet_ros.replay.ros_domain import claim_domain
from cfrnet_ros.replay.session import run_replay
from cfrnet_ros.vision.stages import Stage
from demo import bad_camera
from demo.bag_frames import IMAGE_TOPIC, START_NS, CameraBag
from demo.scene import Scene

SEED, FPS, SECONDS = 9, 15, 12.0
WIDTH, HEIGHT = 1280, 720
CYCLES = (1, 2, 3)


def make_bag(path: Path) -> None:
    """Write the bag: the scene in a wider picture, in daylight with sensor noise."""
    scene, rng = Scene(SEED), np.random.default_rng(SEED)
    with CameraBag(path) as bag:
        for index in range(round(SECONDS * FPS)):
            now = index / FPS
            clean = scene.frame(now)
            width = round(clean.shape[1] * HEIGHT / clean.shape[0])
            tall = cv2.resize(clean, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
            side = (WIDTH - width) // 2
            wide = cv2.copyMakeBorder(
                tall, 0, 0, side, WIDTH - width - side, cv2.BORDER_REFLECT_101
            )
            seen = bad_camera.daylight_noise(np.asarray(wide, np.uint8), now, rng)
            bag.frame(START_NS + round(now * 1e9), seen, None)


def summarise(rows: list[FrameRow]) -> dict[str, Any]:
    """Return the share of frames with a blended face, and the time of a frame."""
    done = [row for row in rows if row.outcome == PROCESSED and row.faces]
    total = np.array([row.stages_ms[Stage.TOTAL] for row in done])
    stages = [stage for stage in Stage if any(stage in row.stages_ms for row in done)]
    interval = 1000.0 / FPS
    return {
        'frames': len(rows),
        'restored_share': round(len(done) / len(rows), 3),
        'total_p50_ms': round(float(np.median(total)), 1),
        'total_p95_ms': round(float(np.percentile(total, 95)), 1),
        'total_p50_over_interval': round(float(np.median(total)) / interval, 2),
        'p50_ms': {
            stage.value: round(
                float(np.median([r.stages_ms[stage] for r in done if stage in r.stages_ms])), 1
            )
            for stage in stages
        },
    }


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/whole_frame.json'))
    args = parser.parse_args()
    os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / 'camera'
        make_bag(bag)
        plan = ReplayPlan(
            bag,
            Path(folder) / 'out',
            topic=IMAGE_TOPIC,
            cycles=CYCLES,
            parameters={'max_faces': 1, 'threads': 1},
            # In normal operation the debug view and the fused crops have no subscriber.
            recorded={
                name: kind
                for name, kind in RECORDED.items()
                if name not in (DEBUG_TOPIC, FUSED_TOPIC)
            },
        )
        rows = collect_frames(run_replay(plan))
    passes: dict[str, Any] = {
        f'k{k}': summarise([row for row in rows if row.cycles == k]) for k in CYCLES
    }
    result = {
        'command': 'python -m benchmarks.whole_frame',
        'machine': machine(),
        'width': WIDTH,
        'height': HEIGHT,
        'fps': FPS,
        'passes': passes,
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    print(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
