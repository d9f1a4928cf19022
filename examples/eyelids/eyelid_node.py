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

"""A node that measures eyelids in the crops of the restorer.

``python -m examples.eyelids.eyelid_node`` subscribes to `face/image`, `face/outline` and
`face/status` of the node that the parameter `source` names. It publishes `~/status`
(diagnostic_msgs/DiagnosticArray, one message per frame with one status per face) and `~/eyes`
(geometry_msgs/PolygonStamped, two messages per face with the position of the lids in the frame).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PolygonStamped
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from cfrnet_ros.node.frame_times import RESTART_S
from cfrnet_ros.node.images.decoder import ImageDecoder
from cfrnet_ros.node.images.errors import ImageError
from cfrnet_ros.vision.views.crop_geometry import affine_from_corners
from examples.eyelids.closures import DetectorSettings
from examples.eyelids.eye_landmarks import EyeLandmarker
from examples.eyelids.eyelid_report import eye_messages, eyelid_status
from examples.eyelids.frame_assembler import FaceMessages, FrameAssembler
from examples.eyelids.monitor import EyelidMonitor, EyelidReading
from examples.eyelids.network_files import MissingNetworkError

# Queue for the crops and outlines of several frames: a short delay must not lose a blink.
_DEPTH = 50


def _number(
    description: str, low: float, high: float, kind: type[float] | type[int] = float
) -> ParameterDescriptor:
    """Return the descriptor of a read-only parameter with a range."""
    descriptor = ParameterDescriptor(
        description=description,
        read_only=True,
        additional_constraints=f'{low:g} to {high:g}',
    )
    if kind is int:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    else:
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor


#: Default and descriptor of each parameter, by name.
PARAMETERS: dict[str, tuple[Any, ParameterDescriptor]] = {
    'source': (
        'cfrnet',
        ParameterDescriptor(
            description='Name of the node whose faces are watched; relative to the own namespace'
            ' unless it begins with a slash.',
            read_only=True,
        ),
    ),
    'window_s': (
        60.0,
        _number('Window for PERCLOS and the blink rate in seconds.', 10.0, 600.0),
    ),
    'perclos_warning': (
        0.15,
        _number('PERCLOS from which a face is reported with WARN, as a fraction.', 0.0, 1.0),
    ),
    'least_drop': (
        DetectorSettings.least_drop,
        _number(
            'Share of the aspect ratio of open eyes by which the ratio must fall for the eyes to'
            ' count as shut.',
            0.05,
            0.9,
        ),
    ),
    'noise_factor': (
        DetectorSettings.noise_factor,
        _number(
            'Number of standard deviations of the noise by which it must fall as well.', 0.0, 20.0
        ),
    ),
    'forget_after_s': (
        10.0,
        _number('Time in seconds after which a track that is not seen is forgotten.', 0.5, 600.0),
    ),
    'threads': (1, _number('Number of CPU threads of the landmark networks.', 1, 64, int)),
}


class EyelidNode(Node):
    """Publishes openness, blinks and PERCLOS of each tracked face."""

    def __init__(self, **kwargs: Any) -> None:
        """Declare parameters, load the networks and create the topics.

        Args:
            kwargs: Arguments passed on to `Node`, for instance `context`.

        Raises:
            MissingNetworkError: A package that contains or runs the networks is missing.

        """
        super().__init__('eyelids', **kwargs)
        for name, (default, descriptor) in PARAMETERS.items():
            self.declare_parameter(name, default, descriptor)
        self._detector = DetectorSettings(
            least_drop=self._value('least_drop'), noise_factor=self._value('noise_factor')
        )
        self._landmarker = EyeLandmarker(self._value('threads'))
        self._decoder = ImageDecoder(4096 * 4096)
        self._assembler = FrameAssembler()
        self._monitors: dict[int, EyelidMonitor] = {}
        self._seen_s: dict[int, float] = {}
        self._last_s = float('-inf')
        qos = QoSProfile(
            history=HistoryPolicy.KEEP_LAST, depth=_DEPTH, reliability=ReliabilityPolicy.RELIABLE
        )
        self._status = self.create_publisher(DiagnosticArray, '~/status', qos)
        self._eyes = self.create_publisher(PolygonStamped, '~/eyes', qos)
        source = self._value('source').rstrip('/')
        self._inputs = [
            self.create_subscription(kind, f'{source}/face/{name}', self._taker(add), qos)
            for kind, name, add in (
                (Image, 'image', self._assembler.add_crop),
                (PolygonStamped, 'outline', self._assembler.add_outline),
                (DiagnosticArray, 'status', self._assembler.add_status),
            )
        ]
        self.get_logger().info(f'waiting for faces on {self._inputs[0].topic_name}')

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _taker(self, add: Any) -> Any:
        """Return a callback that hands messages to the assembler and processes complete frames."""

        def take(message: Any) -> None:
            faces = add(message)
            if faces is not None:
                self._process(message.header, faces)

        return take

    def _process(self, header: Any, faces: Sequence[FaceMessages]) -> None:
        now_s = header.stamp.sec + header.stamp.nanosec * 1e-9
        if self._last_s - RESTART_S <= now_s <= self._last_s:
            self.get_logger().warning(
                'frames with the stamp of the one before, or an older one, are left out: the camera'
                ' must stamp its images in order',
                throttle_duration_sec=10.0,
            )
            return
        if now_s < self._last_s:
            # The bag has started over: the people, or their times, are different.
            self._monitors.clear()
            self._seen_s.clear()
        self._last_s = now_s
        message = DiagnosticArray(header=header)
        name = self.get_fully_qualified_name().lstrip('/')
        for face in faces:
            self._seen_s[face.track_id] = now_s
            reading = self._read(face, now_s)
            message.status.append(
                eyelid_status(name, face.track_id, reading, self._value('perclos_warning'))
            )
        forget_before = now_s - self._value('forget_after_s')
        for track_id in [i for i, seen in self._seen_s.items() if seen < forget_before]:
            del self._seen_s[track_id]
            self._monitors.pop(track_id, None)
        self._status.publish(message)

    def _read(self, face: FaceMessages, now_s: float) -> EyelidReading | None:
        """Measure one face and publish its eyes; returns None if no eyes are visible."""
        try:
            crop = self._decoder.decode(face.crop)
            corners = [(point.x, point.y) for point in face.outline.polygon.points]
            affine = affine_from_corners(corners, face.crop.width, face.crop.height)
            eyes = self._landmarker(crop)
        except (ImageError, ValueError) as error:
            self.get_logger().warning(f'face {face.track_id}: {error}', throttle_duration_sec=10.0)
            return None
        if not eyes.found:
            return None
        for message in eye_messages(eyes, affine, face.crop.header):
            self._eyes.publish(message)
        monitor = self._monitors.get(face.track_id)
        if monitor is None:
            monitor = EyelidMonitor(self._detector, self._value('window_s'))
            self._monitors[face.track_id] = monitor
        return monitor.add(now_s, eyes.openness)


def _help() -> str:
    lines = [
        'usage: python -m examples.eyelids.eyelid_node [--ros-args -p NAME:=VALUE ...]',
        '',
        'Measures blinks and PERCLOS in the faces that the restorer publishes. Parameters:',
    ]
    for name, (default, descriptor) in PARAMETERS.items():
        limits = descriptor.additional_constraints
        lines.append(f'  {name}:={default}{f"  ({limits})" if limits else ""}')
        lines.append(f'      {descriptor.description}')
    return '\n'.join(lines)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM.

    Args:
        args: Command line without the program's name; None for `sys.argv`.

    Returns:
        Exit code: 0 after a signal and after `--help`, 1 if the node could not start.

    """
    words = sys.argv[1:] if args is None else list(args)
    if {'-h', '--help'} & set(words):
        print(_help())
        return 0
    rclpy.init(args=words)
    try:
        rclpy.spin(EyelidNode())
    except MissingNetworkError as error:
        print(f'eyelids: cannot start: {error}', file=sys.stderr)
        return 1
    except (InvalidParameterValueException, InvalidParameterTypeException) as error:
        print(f'eyelids: cannot start: {error}\n\n{_help()}', file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
