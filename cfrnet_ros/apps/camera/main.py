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

"""The command `cfrnet-camera`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import rclpy
from rclpy.exceptions import InvalidTopicNameException
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from cfrnet_ros.apps.camera.camera_node import CameraNode
from cfrnet_ros.apps.camera.frames import PICTURE_HZ, frames_of
from cfrnet_ros.apps.camera.intrinsics import read_calibration
from cfrnet_ros.apps.media.errors import MediaError

DESCRIPTION = """\
Publishes a picture, a video or a webcam as a camera driver would, for trying nodes without a
driver.

  cfrnet-camera face.jpg                           /camera/image_raw, until Ctrl-C
  cfrnet-camera drive.mp4 --loop --compressed      /camera/image_raw/compressed
  cfrnet-camera webcam --rate 15 --topic /dms/image_raw --fov 60

Arguments behind --ros-args are those of every ROS 2 node, such as -r __ns:=/driver.
"""

EPILOG = """\
Exit code: 0 at the end of the source and after Ctrl-C, 1 if the source cannot be read, 2 for a
wrong command line.
"""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: Command line without the program's name; None for that of `sys.argv`.

    Returns:
        Exit code.

    """
    argv = list(sys.argv[1:] if args is None else args)
    given = _parse(remove_ros_args(argv))
    # rclpy's handlers would end a publish with an exception of their own.
    rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    try:
        return _publish(given)
    except KeyboardInterrupt:
        return 0
    except (MediaError, InvalidTopicNameException) as error:
        print(f'cfrnet-camera: {given.source}: {error}', file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()


def _publish(given: argparse.Namespace) -> int:
    calibration = read_calibration(given.camera_info) if given.camera_info else None
    node = CameraNode(
        given.name, given.topic, given.frame_id, given.quality if given.compressed else 0,
        calibration, given.fov,
    )  # fmt: skip
    try:
        start = time.monotonic()
        for due_s, frame in frames_of(given.source, given.rate, given.loop):
            wait_s = start + due_s - time.monotonic()
            if wait_s > 0:
                time.sleep(wait_s)
            node.publish(frame)
            # Answers services, such as those of parameters.
            rclpy.spin_once(node, timeout_sec=0)
        return 0
    finally:
        node.destroy_node()


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='cfrnet-camera',
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('source', help="picture, video, or 'webcam' or 'webcam:SOURCE' with the number of a camera,"
        ' a device, or the address of a stream')  # fmt: skip
    add('--topic', '-t', default='camera/image_raw', help='default: camera/image_raw; the'
        ' intrinsics are on camera_info beside it')  # fmt: skip
    add('--rate', '-r', type=_above_0, default=0.0, metavar='HZ',
        help=f"images per second (default: a video's own times, {PICTURE_HZ:g} for a picture, all"
        ' that come from a webcam)')  # fmt: skip
    add('--loop', '-l', action='store_true', help='start a video again at its end')
    add('--compressed', '-c', action='store_true', help='JPEG in place of raw images')
    add('--quality', type=int, default=90, choices=range(1, 101), metavar='1..100',
        help='quality of JPEG (default: 90)')  # fmt: skip
    add('--frame-id', default='camera', help='frame of the headers (default: camera)')
    intrinsics = parser.add_mutually_exclusive_group()
    intrinsics.add_argument('--camera-info', type=Path, metavar='FILE',
        help='calibration, as camera_calibration writes it')  # fmt: skip
    intrinsics.add_argument('--fov', type=_angle, default=0.0, metavar='DEGREES',
        help='horizontal angle of view, for intrinsics without a calibration')  # fmt: skip
    add('--name', default='cfrnet_camera', help='name of the node (default: cfrnet_camera)')
    return parser.parse_args(arguments)


def _above_0(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError('must be above 0 and at most 1000')
    return value


def _angle(text: str) -> float:
    value = float(text)
    if not 0 < value < 180:
        raise argparse.ArgumentTypeError('must be between 0 and 180')
    return value


if __name__ == '__main__':
    sys.exit(main())
