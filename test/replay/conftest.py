from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header, String

from cfrnet_ros.replay.bag_reader import COMPRESSED, RAW
from cfrnet_ros.replay.bag_writer import BagWriter
from demo.bad_camera import daylight_noise
from demo.make_bag import image_message
from demo.scene import Scene

FRAMES, FPS = 10, 5


@pytest.fixture(autouse=True)
def own_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test apart from whatever else runs on this machine."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(random.SystemRandom().randint(1, 100)))


@pytest.fixture(scope='session')
def camera_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s of a face at 5 Hz: raw, truth with the same stamps, and two labels."""
    path = tmp_path_factory.mktemp('bags') / 'camera'
    scene, rng = Scene(3), np.random.default_rng(3)
    with BagWriter(path) as bag:
        bag.add_topic('/camera/image_raw', RAW)
        bag.add_topic('/truth/compressed', COMPRESSED)
        bag.add_topic('/label', 'std_msgs/msg/String')
        for index in range(FRAMES):
            now_ns = 1_700_000_000 * 10**9 + index * 10**9 // FPS
            sec, nanosec = divmod(now_ns, 10**9)
            header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id='camera')
            clean = scene.frame(index / FPS)
            if index in (0, 5):
                bag.write('/label', now_ns, serialize_message(String(data=f'part {index}')))
            seen = image_message(daylight_noise(clean, 0.0, rng), header)
            bag.write('/camera/image_raw', now_ns, serialize_message(seen))
            truth = CompressedImage(header=header, format='jpeg')
            truth.data.frombytes(cv2.imencode('.jpg', clean)[1].tobytes())
            bag.write('/truth/compressed', now_ns, serialize_message(truth))
    return path
