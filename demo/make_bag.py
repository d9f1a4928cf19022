"""Make the demo's bag: `python -m demo.make_bag FOLDER`.

Topics: `/dms/image_raw` is what the bad camera delivers, `/dms/truth/compressed` what a
perfect one would have (JPEG of quality 98), both with the same stamps, and
`/dms/condition` says what is wrong with the camera from now on. The same seed gives the
same bag.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String
from tqdm import tqdm

from cfrnet_ros.replay.bag_reader import COMPRESSED, RAW
from cfrnet_ros.replay.bag_writer import BagWriter
from demo.bad_camera import CONDITIONS
from demo.scene import Scene

IMAGE_TOPIC = '/dms/image_raw'
TRUTH_TOPIC = '/dms/truth/compressed'
CONDITION_TOPIC = '/dms/condition'
FPS = 15
FRAMES_PER_CONDITION = 26
SEED = 7
#: Any fixed time will do; a fixed one keeps the bag the same (2026-01-01 00:00 UTC).
START_NS = 1767225600 * 10**9
_TRUTH_QUALITY = 98


def image_message(picture: NDArray[np.uint8], header: Header) -> Image:
    """Make a message of a picture: (H, W, 3) as bgr8, (H, W) as mono8 (infrared cameras)."""
    height, width = picture.shape[:2]
    message = Image(header=header, height=height, width=width)
    message.encoding = 'bgr8' if picture.ndim == 3 else 'mono8'
    message.step = picture.nbytes // height
    message.data.frombytes(picture.tobytes())
    return message


def make_bag(path: Path, seed: int = SEED) -> int:
    """Write the bag.

    Args:
        path: folder to make; it must not exist.
        seed: of the movement and the noise.

    Returns:
        The number of frames.

    Raises:
        BagError: the folder exists or cannot be written.

    """
    scene = Scene(seed)
    rng = np.random.default_rng(seed)
    total = FRAMES_PER_CONDITION * len(CONDITIONS)
    with BagWriter(path) as bag:
        bag.add_topic(IMAGE_TOPIC, RAW)
        bag.add_topic(TRUTH_TOPIC, COMPRESSED)
        bag.add_topic(CONDITION_TOPIC, 'std_msgs/msg/String')
        for index in tqdm(range(total), desc='making the bag', unit='frame', mininterval=0.5):
            number, within = divmod(index, FRAMES_PER_CONDITION)
            name, condition, truth_of = CONDITIONS[number]
            now_ns = START_NS + index * 10**9 // FPS
            sec, nanosec = divmod(now_ns, 10**9)
            header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id='dms_camera')
            if within == 0:
                bag.write(CONDITION_TOPIC, now_ns, serialize_message(String(data=name)))
            clean = scene.frame(index / FPS)
            seen = condition(clean, within / FPS, rng)
            bag.write(IMAGE_TOPIC, now_ns, serialize_message(image_message(seen, header)))
            _, data = cv2.imencode(
                '.jpg', truth_of(clean), [cv2.IMWRITE_JPEG_QUALITY, _TRUTH_QUALITY]
            )
            truth = CompressedImage(header=header, format='bgr8; jpeg compressed bgr8')
            truth.data.frombytes(data.tobytes())
            bag.write(TRUTH_TOPIC, now_ns, serialize_message(truth))
    return total


def main() -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('folder', type=Path, help='bag to make')
    parser.add_argument('--seed', type=int, default=SEED)
    arguments = parser.parse_args()
    frames = make_bag(arguments.folder, arguments.seed)
    print(f'{frames} frames in {arguments.folder}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
