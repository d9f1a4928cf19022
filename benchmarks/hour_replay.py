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

"""Replays an hour of camera frames to the real node: ``python -m benchmarks.hour_replay``.

A recording is played in a loop, each frame as soon as the node can take it. Stamps are those of a
camera at 10 Hz, so that the node sees an hour pass however fast it is. Its resident memory, threads
and descriptors are read at regular numbers of frames, and a line is fitted to the memory. The exit
code is 1 if anything grew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from array import array
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from benchmarks.machine import machine
from benchmarks.overload import pictures, process_figures
from cfrnet_ros.replay.node_process import NodeProcess
from cfrnet_ros.replay.ros_domain import claim_domain
from cfrnet_ros.replay.ros_session import RosSession

TOPIC = '/hour/image'
CAMERA_HZ = 10
#: Parameters with which a frame takes little time: the memory is looked at, and not the pictures.
PARAMETERS = {'cycles': 1, 'detector_input_size': 160, 'detection_interval': 10}
#: Frames under way: one that is processed, and one in the mailbox.
UNDER_WAY = 2
#: Time in seconds after which a frame without an answer counts as lost.
PATIENCE_S = 20.0
#: Share of the readings at the start that the fitted line leaves out, while caches fill, and the
#: monitor's windows of 300 s.
WARM_UP = 0.2
#: Growth of the resident memory in MB in an hour that counts as none.
FLAT_MB = 2.0


@dataclass(frozen=True)
class Reading:
    """State of the node's process after a number of frames.

    Attributes:
        frames: Number of frames that were answered.
        seconds: Seconds since the first frame was sent.
        cpu_s: Processor time of the node since it was started, in seconds.
        resident_mb: Resident memory in MB. Linux takes pages of mapped files away from it when
            other processes need memory.
        anonymous_mb: Resident memory in MB that belongs to no file: what the process has allocated.
        threads: Number of threads.
        descriptors: Number of open file descriptors.

    """

    frames: int
    seconds: float
    cpu_s: float
    resident_mb: float
    anonymous_mb: float
    threads: int
    descriptors: int


def recording(width: int, height: int, without_face: int) -> list[Image]:
    """Return the frames of one loop: a face that moves to and fro, then frames without a face.

    So the face leaves and returns, as another track, in each loop.
    """
    with_face = pictures(width, height)
    rng = np.random.default_rng(1)
    empty = []
    for _ in range(without_face):
        msg = Image(width=width, height=height, step=3 * width, encoding='bgr8')
        noise = rng.normal(90, 6, (height, width, 3))
        msg.data = array('B', np.clip(noise, 0, 255).astype(np.uint8).tobytes())
        empty.append(msg)
    return with_face + empty


class Loop:
    """Sends the frames of a recording again and again, as fast as they are answered."""

    def __init__(self, node: Node, messages: list[Image], name: str) -> None:
        """Create publisher and subscriptions.

        Args:
            node: ROS node that another thread spins.
            messages: Frames of the recording.
            name: Full name of the restorer's node.

        """
        self.answered = self.lost = self.crops = 0
        self._messages = messages
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._publisher = node.create_publisher(Image, TOPIC, qos)
        self._sent = 0
        # Time of sending by stamp in nanoseconds.
        self._waiting: dict[int, float] = {}
        self._changed = threading.Condition()
        # Before now, by more than a run is long: stamps of the future would count as unusable.
        self._start_ns = time.time_ns() - 3 * 3600 * 10**9
        node.create_subscription(
            DiagnosticArray, f'{name}/frame/status', self._on_status, 16, raw=True
        )
        node.create_subscription(Image, f'{name}/face/image', self._on_crop, 16, raw=True)

    def advance(self, frames: int) -> None:
        """Send frames until this many more have been answered or lost."""
        end = self.answered + self.lost + frames
        while self.answered + self.lost < end:
            with self._changed:
                self._changed.wait_for(lambda: len(self._waiting) < UNDER_WAY, 1.0)
                now = time.monotonic()
                late = [ns for ns, sent in self._waiting.items() if now - sent > PATIENCE_S]
                for stamp_ns in late:
                    del self._waiting[stamp_ns]
                self.lost += len(late)
                if len(self._waiting) >= UNDER_WAY:
                    continue
            self._send()

    def _send(self) -> None:
        msg = self._messages[self._sent % len(self._messages)]
        stamp_ns = self._start_ns + self._sent * 10**9 // CAMERA_HZ
        msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        with self._changed:
            self._waiting[stamp_ns] = time.monotonic()
        self._sent += 1
        self._publisher.publish(msg)
        if self._sent == 1:
            # Or the second frame would take the place of the first in the mailbox.
            time.sleep(0.1)

    def _on_status(self, data: bytes) -> None:
        stamp = deserialize_message(data, DiagnosticArray).header.stamp
        stamp_ns = stamp.sec * 10**9 + stamp.nanosec
        with self._changed:
            # Frames are answered in their order, so that earlier ones have been lost.
            for earlier in [ns for ns in self._waiting if ns < stamp_ns]:
                del self._waiting[earlier]
                self.lost += 1
            self.answered += self._waiting.pop(stamp_ns, None) is not None
            self._changed.notify_all()

    def _on_crop(self, _: bytes) -> None:
        self.crops += 1


def anonymous_mb(pid: int) -> float:
    """Return the resident memory of a process that belongs to no file, in MB."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    line = next(line for line in lines if line.startswith('RssAnon:'))
    return int(line.split()[1]) / 1024


def fit_mb_per_hour(readings: list[Reading]) -> tuple[float, float]:
    """Fit a line to the allocated memory over the frames, without the warm-up.

    Args:
        readings: Readings in their order, at least 4.

    Returns:
        Slope in MB for an hour of frames at `CAMERA_HZ`, and the standard deviation of the readings
        from the line in MB.

    """
    kept = readings[round(WARM_UP * len(readings)) :]
    hours = np.array([r.frames for r in kept]) / (3600 * CAMERA_HZ)
    memory = np.array([r.anonymous_mb for r in kept])
    slope, start = np.polyfit(hours, memory, 1)
    return float(slope), float(np.std(memory - (slope * hours + start)))


def failures(readings: list[Reading]) -> list[str]:
    """Return what grew during the run; empty if nothing did."""
    found = []
    slope, _ = fit_mb_per_hour(readings)
    if slope > FLAT_MB:
        found.append(f'memory grows by {slope:.1f} MB in an hour')
    settled = readings[round(WARM_UP * len(readings))]
    for what in ('threads', 'descriptors'):
        before, after = getattr(settled, what), getattr(readings[-1], what)
        if after > before:
            found.append(f'the number of {what} grew from {before} to {after}')
    return found


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the replay; return the figures."""
    os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
    readings: list[Reading] = []
    load = machine()
    parameters = {**PARAMETERS, 'threads': args.threads}
    with (
        RosSession('hour_replay') as session,
        NodeProcess(folder / 'node.log', parameters, {'image': TOPIC}) as node,
    ):
        node.wait_until_active(session.node)
        loop = Loop(session.node, recording(args.width, args.height, args.without_face), node.name)
        start = time.monotonic()
        while loop.answered < args.frames and time.monotonic() - start < args.seconds:
            loop.advance(args.every)
            node.check()
            now = process_figures(node.pid)
            seconds = time.monotonic() - start
            readings.append(
                Reading(
                    loop.answered,
                    round(seconds, 1),
                    round(now['cpu_s'], 1),
                    round(now['resident_mb'], 2),
                    round(anonymous_mb(node.pid), 2),
                    int(now['threads']),
                    int(now['descriptors']),
                )
            )
            if len(readings) >= 5:
                write(args, load, loop, readings)
            print(json.dumps(asdict(readings[-1])), flush=True)
    return write(args, load, loop, readings)


def write(
    args: argparse.Namespace, described: dict[str, Any], loop: Loop, readings: list[Reading]
) -> dict[str, Any]:
    """Write the figures so far; return them."""
    slope, spread = fit_mb_per_hour(readings)
    result = {
        'command': 'python -m benchmarks.hour_replay',
        'made': time.strftime('%Y-%m-%d'),
        'machine': described,
        'image': [args.width, args.height],
        'parameters': PARAMETERS,
        'without_face_in_a_loop': args.without_face,
        'camera_hz': CAMERA_HZ,
        'frames': {'answered': loop.answered, 'lost': loop.lost, 'crops': loop.crops},
        'hours_of_camera_time': round((loop.answered + loop.lost) / CAMERA_HZ / 3600, 2),
        'seconds': readings[-1].seconds,
        'slope_mb_per_hour': round(slope, 2),
        'spread_mb': round(spread, 2),
        'failures': failures(readings),
        'readings': [asdict(reading) for reading in readings],
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    return result


def main() -> int:
    """Measure and write the figures; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--frames', type=int, default=36000, help='frames to be answered')
    parser.add_argument('--seconds', type=float, default=7200.0, help='longest time of the run')
    parser.add_argument('--every', type=int, default=500, help='frames between two readings')
    parser.add_argument('--width', type=int, default=320)
    parser.add_argument('--height', type=int, default=240)
    parser.add_argument(
        '--without-face', type=int, default=60, help='frames without a face after 78 with one'
    )
    parser.add_argument('--threads', type=int, default=1, help='the parameter threads')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/hour_replay.json'))
    args = parser.parse_args()
    if args.every < 1 or args.frames < 5 * args.every:
        parser.error('--every must be above 0, and --frames at least five times as many')
    with tempfile.TemporaryDirectory() as folder:
        result = measure(args, Path(folder))
    print(f'{result["slope_mb_per_hour"]} MB in an hour')
    for failure in result['failures']:
        print(f'error: {failure}', file=sys.stderr)
    return int(bool(result['failures']))


if __name__ == '__main__':
    sys.exit(main())
