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

"""Sends images at twice the rate that the node sustains: ``python -m benchmarks.overload``.

The rate that the node sustains is what it processes while it gets more than that. The benchmark
sends twice as many images to the real node in a process of its own, for as long as it is told,
changes a parameter every few seconds and reads it back, and follows ages, memory, threads and
diagnostics. The exit code is 1 if anything grew, drifted or fell silent.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from benchmarks.machine import machine
from benchmarks.overload_figures import Window, account, summary
from cfrnet_ros.replay.errors import ParameterError
from cfrnet_ros.replay.node_process import NodeProcess
from cfrnet_ros.replay.parameter_client import ParameterClient
from cfrnet_ros.replay.ros_domain import claim_domain
from cfrnet_ros.replay.ros_session import RosSession
from demo import bad_camera
from demo.scene import Scene

SEED, FRAMES, SCENE_FPS = 11, 40, 20
TOPIC = '/load/image'
#: Parameter that is changed. It has no influence on the time that a frame takes.
PARAMETER, VALUES = 'diagnostics.age_warn_ms', (500.0, 600.0)
PARAMETER_EVERY_S = 5.0
#: Images a second at the start of the run, before the node's rate is known.
FIRST_HZ = 40.0
#: Length in seconds of the run before the figures begin, in which the rate settles.
SETTLE_S = 30.0
#: Period in seconds in which the node is stopped for a while where it may not use a whole core.
DUTY_S = 0.1


def pictures(width: int, height: int) -> list[Image]:
    """Return a face that moves to and fro in sensor noise, as bgr8 messages."""
    scene, rng = Scene(SEED), np.random.default_rng(SEED)
    messages = []
    for index in range(FRAMES):
        clean = scene.frame(index / SCENE_FPS)
        small = cv2.resize(clean, (width, height), interpolation=cv2.INTER_AREA)
        seen = bad_camera.daylight_noise(np.asarray(small, np.uint8), 0.0, rng)
        msg = Image(width=width, height=height, step=3 * width, encoding='bgr8')
        msg.data = array('B', seen.tobytes())
        messages.append(msg)
    # Forwards, then backwards: the face never jumps.
    return messages + messages[-2:0:-1]


class Camera(threading.Thread):
    """Publishes images at a rate that may be changed while it runs."""

    def __init__(self, node: Node, messages: list[Image]) -> None:
        """Create the publisher, best effort like a camera driver's."""
        super().__init__(name='camera', daemon=True)
        self.rate_hz = FIRST_HZ
        self.sent = 0
        self._node, self._messages = node, messages
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._publisher = node.create_publisher(Image, TOPIC, qos)
        self._ended = threading.Event()

    def run(self) -> None:
        """Publish until `end` is called."""
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            msg = self._messages[self.sent % len(self._messages)]
            msg.header.stamp = self._node.get_clock().now().to_msg()
            self._publisher.publish(msg)
            self.sent += 1
            # After a delay the rate goes on; missed images are not sent in a burst.
            due = max(due + 1 / self.rate_hz, time.monotonic() - 0.5)

    def end(self) -> None:
        """Stop publishing."""
        self._ended.set()
        self.join()


class Observer:
    """Collects what the node publishes: ages of crops, and the counts of its diagnostics."""

    def __init__(self, node: Node, name: str) -> None:
        """Subscribe.

        Args:
            node: ROS node that another thread spins.
            name: Full name of the observed node, for example '/cfrnet'.

        """
        self.counts: dict[str, int] = {}
        self.ages_ms: list[float] = []
        self.gap_s = 0.0
        self.most_in_flight = 0
        self.unaccounted = 0
        self._last = time.monotonic()
        self._clock = node.get_clock()
        self._status = f'{name.lstrip("/")}: input'
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        node.create_subscription(Image, f'{name}/face/image', self._on_crop, 10)

    def begin_window(self) -> None:
        """Forget ages, gaps and maxima of the window before."""
        self.ages_ms.clear()
        self.gap_s, self.most_in_flight, self.unaccounted = 0.0, 0, 0

    def silent_s(self) -> float:
        """Return the longest time without diagnostics in this window, the present one included."""
        return max(self.gap_s, time.monotonic() - self._last)

    def _on_crop(self, msg: Image) -> None:
        stamp = msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec
        self.ages_ms.append((self._clock.now().nanoseconds - stamp) / 1e6)

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name != self._status:
                continue
            found = {
                pair.key.removeprefix('frames/'): int(pair.value)
                for pair in status.values
                if pair.key.startswith('frames/')
            }
            self.unaccounted += not account(found)
            self.most_in_flight = max(self.most_in_flight, found['in_flight'])
            now = time.monotonic()
            self.gap_s, self._last = max(self.gap_s, now - self._last), now
            self.counts = found


def process_figures(pid: int) -> dict[str, float]:
    """Return processor time in s, resident memory in MB, threads and descriptors of a process."""
    folder = Path(f'/proc/{pid}')
    # Fields 14 and 15 of proc(5); the name of the process, in brackets, may hold spaces.
    fields = (folder / 'stat').read_text().rpartition(')')[2].split()
    status = dict(
        line.split(':', 1) for line in (folder / 'status').read_text().splitlines() if ':' in line
    )
    return {
        'cpu_s': (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK'),
        'resident_mb': int(status['VmRSS'].split()[0]) / 1024,
        'threads': int(status['Threads']),
        'descriptors': len(os.listdir(folder / 'fd')),
    }


@contextlib.contextmanager
def limited(pid: int, share: float) -> Iterator[None]:
    """Stop a process for a part of each tenth of a second, so that a busy machine can be shared.

    Args:
        pid: Process id.
        share: Share of the time in which the process runs, above 0; 1 leaves it alone.

    """
    stop = threading.Event()

    def work() -> None:
        with contextlib.suppress(ProcessLookupError):
            while not stop.wait(share * DUTY_S):
                os.kill(pid, signal.SIGSTOP)
                time.sleep((1 - share) * DUTY_S)
                os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=work, name='limiter', daemon=True)
    if share < 1:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if share < 1:
            thread.join()


class Parameters:
    """Changes a parameter and reads it back."""

    def __init__(self, client: ParameterClient) -> None:
        """Start with no change counted."""
        self.done = self.failed = 0
        self.slowest_ms = 0.0
        self._client = client
        self._turn = 0

    def begin_window(self) -> None:
        """Forget the counts of the window before."""
        self.done = self.failed = 0
        self.slowest_ms = 0.0

    def change(self) -> None:
        """Set the other value, and read it back."""
        self._turn += 1
        value = VALUES[self._turn % len(VALUES)]
        start = time.monotonic()
        try:
            self._client.set({PARAMETER: value})
            read = self._client.get(PARAMETER)[PARAMETER]
        except ParameterError as error:
            print(error, file=sys.stderr)
            read = None
        self.slowest_ms = max(self.slowest_ms, 1000 * (time.monotonic() - start))
        if read == value:
            self.done += 1
        else:
            self.failed += 1


def run_window(
    seconds: float, node: NodeProcess, camera: Camera, seen: Observer, parameters: Parameters
) -> Window:
    """Follow the run for a while, then set the camera to twice the rate that was processed."""
    seen.begin_window()
    parameters.begin_window()
    start, before, sent = time.monotonic(), dict(seen.counts), camera.sent
    used = process_figures(node.pid)['cpu_s']
    while (left := seconds - (time.monotonic() - start)) > 0:
        time.sleep(min(PARAMETER_EVERY_S, left))
        node.check()
        parameters.change()
    after, now = dict(seen.counts), process_figures(node.pid)
    took = time.monotonic() - start
    part = {name: after[name] - before.get(name, 0) for name in after}
    ages = np.array(seen.ages_ms or [np.nan])
    camera.rate_hz = max(2.0, 2 * part['processed'] / took)
    return Window(
        seconds=took,
        sent=camera.sent - sent,
        received=part['received'],
        processed=part['processed'],
        dropped=part['dropped'],
        rejected=part['rejected'],
        lost=part['lost'],
        most_in_flight=seen.most_in_flight,
        unaccounted=seen.unaccounted,
        age_p50_ms=float(np.median(ages)),
        age_p95_ms=float(np.percentile(ages, 95)),
        cpu_ms=1000 * (now['cpu_s'] - used) / max(1, part['processed']),
        resident_mb=now['resident_mb'],
        threads=int(now['threads']),
        descriptors=int(now['descriptors']),
        diagnostics_gap_s=seen.silent_s(),
        parameters_set=parameters.done,
        parameters_failed=parameters.failed,
        parameters_slowest_ms=parameters.slowest_ms,
        machine_load=os.getloadavg()[0],
    )


def measure(args: argparse.Namespace, folder: Path) -> list[Window]:
    """Run the node under overload; return the windows."""
    given = {'max_faces': 1, 'threads': 1, 'cycles': args.cycles, PARAMETER: VALUES[0]}
    environment = {'ROS_DOMAIN_ID': str(claim_domain())}
    os.environ.update(environment)
    windows: list[Window] = []
    with (
        RosSession('overload') as session,
        NodeProcess(folder / 'node.log', given, {'image': TOPIC}) as node,
    ):
        node.wait_until_active(session.node)
        seen = Observer(session.node, node.name)
        camera = Camera(session.node, pictures(args.width, args.height))
        parameters = Parameters(ParameterClient(session.node, node.name))
        with limited(node.pid, args.core_share):
            camera.start()
            # Several short windows: the rate of the first is a guess.
            for _ in range(3):
                run_window(SETTLE_S / 3, node, camera, seen, parameters)
            end = time.monotonic() + args.seconds
            while time.monotonic() < end:
                length = min(args.window_s, end - time.monotonic())
                windows.append(run_window(length, node, camera, seen, parameters))
                write(args, windows)
                print(json.dumps(summary(windows)['windows'][-1]), flush=True)
        camera.end()
    return windows


def write(args: argparse.Namespace, windows: list[Window]) -> dict[str, Any]:
    """Write the figures so far; return them."""
    result = {
        'command': 'python -m benchmarks.overload',
        'made': time.strftime('%Y-%m-%d'),
        'machine': machine(),
        'image': [args.width, args.height],
        'cycles': args.cycles,
        'core_share': args.core_share,
        **summary(windows),
    }
    args.out.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
    return result


def main() -> int:
    """Measure and write the figures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=3600.0, help='length of the run')
    parser.add_argument('--window-s', type=float, default=60.0, help='length of a window')
    parser.add_argument('--width', type=int, default=320)
    parser.add_argument('--height', type=int, default=240)
    parser.add_argument('--cycles', type=int, default=1)
    parser.add_argument(
        '--core-share',
        type=float,
        default=1.0,
        help='share of the time in which the node may run, for a machine that does other work',
    )
    parser.add_argument('--out', type=Path, default=Path('benchmarks/overload.json'))
    args = parser.parse_args()
    if not (args.seconds > 0 and args.window_s > 0 and 0 < args.core_share <= 1):
        parser.error('--seconds and --window-s must be above 0, --core-share from 0 to 1')
    with tempfile.TemporaryDirectory() as folder:
        result = write(args, measure(args, Path(folder)))
    for failure in result['failures']:
        print(f'error: {failure}', file=sys.stderr)
    return int(bool(result['failures']))


if __name__ == '__main__':
    sys.exit(main())
