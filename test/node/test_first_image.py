from __future__ import annotations

from array import array

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from cfrnet_ros.node.first_image import FirstImage


def test_size_encoding_and_rate_are_told_once() -> None:
    lines: list[str] = []
    first = FirstImage(lines.append)
    msg = Image(width=1280, height=720, encoding='bgr8')
    for index in range(100):
        first.take(msg, 5.0 + index / 32)
    assert lines == ['first image: 1280x720 bgr8 at 32 Hz']
    # After another activation, another camera may come.
    first.reset()
    done, data = cv2.imencode('.jpg', np.zeros((48, 64, 3), np.uint8))
    assert done
    for index in range(4):
        first.take(CompressedImage(format='jpeg', data=array('B', data.tobytes())), index * 1.0)
    assert lines[1:] == ['first image: 64x48 jpeg at 1 Hz']


def test_a_single_image_has_no_rate_yet() -> None:
    lines: list[str] = []
    FirstImage(lines.append).take(Image(width=8, height=8, encoding='mono8'), 1.0)
    assert not lines
