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

"""Runs the demo: `python -m demo.run_demo`, or `make demo`.

Makes the bag if it does not exist yet, plays it through the real node with one, two and three
cycles, and writes demo/report.html.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from pathlib import Path

from cfrnet_ros.replay.main import guarded, replay_and_report
from cfrnet_ros.replay.report import ReportOptions
from cfrnet_ros.replay.session import ReplayPlan
from demo.bag_frames import CONDITION_TOPIC, IMAGE_TOPIC, TRUTH_TOPIC
from demo.make_bag import make_bag

HERE = Path(__file__).resolve().parent
OUT = HERE / 'out'
REPORT = HERE / 'report.html'
_INTRO = (
    'A portrait (NASA, public domain), moved like a head and seen by a bad camera under six'
    ' conditions. The recording was played over DDS to the real node in a process of its own, once'
    ' for each number of cycles. Every frame was sent after the answer to the one before, so that'
    ' all numbers of cycles are shown and measured on the same frames.'
)


def cached_bag(folder: Path) -> Path:
    """Return the demo's bag; it is made anew if the code that makes it has changed."""
    digest = hashlib.sha256()
    for name in ('make_bag.py', 'bag_frames.py', 'scene.py', 'bad_camera.py'):
        digest.update((HERE / name).read_bytes())
    bag = folder / 'camera'
    stamp = folder / 'camera.sha256'
    if not (stamp.exists() and stamp.read_text() == digest.hexdigest()):
        stamp.unlink(missing_ok=True)
        shutil.rmtree(bag, ignore_errors=True)
        make_bag(bag)
        stamp.write_text(digest.hexdigest())
    return bag


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--cycles', type=int, nargs='+', default=[1, 2, 3])
    parser.add_argument('--out', type=Path, default=OUT)
    parser.add_argument('--report', type=Path, default=REPORT)
    given = parser.parse_args()

    def run() -> None:
        given.out.mkdir(parents=True, exist_ok=True)
        plan = ReplayPlan(
            bag=cached_bag(given.out),
            out=given.out,
            topic=IMAGE_TOPIC,
            cycles=given.cycles,
            # Or the slower passes would drop frames, and show others than the faster ones.
            deterministic=True,
            # A short window, so that the diagnostics at the end belong to the last number of
            # cycles.
            parameters={'max_faces': 1, 'diagnostics.window_s': 2.0},
        )
        for recording in (plan.recording, plan.measurements):
            shutil.rmtree(recording, ignore_errors=True)
        options = ReportOptions(
            title='cfrnet_ros: demo',
            intro=_INTRO,
            truth_topic=TRUTH_TOPIC,
            label_topic=CONDITION_TOPIC,
        )
        replay_and_report(plan, given.report, options)
        print('\nlive in the browser, with sliders\n  make view')

    return guarded(run)


if __name__ == '__main__':
    sys.exit(main())
