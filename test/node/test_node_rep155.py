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

"""Regions and landmarks of REP-155; hri_msgs is not on the Python package index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node_harness import NodeProcess, Peer, bgr8_message, send_until
from numpy.typing import NDArray
from ros_domains import next_domain
from std_msgs.msg import Header

from cfrnet_ros.node import hri_messages
from cfrnet_ros.node.hri_messages import fraction
from cfrnet_ros.vision.types import Face

needs_hri_msgs = pytest.mark.skipif(
    not hri_messages.available(), reason='hri_msgs is not on the Python package index'
)


def test_positions_are_fractions_of_the_images_sides() -> None:
    # Pixel centres have whole coordinates, so the image begins half a pixel before the first.
    assert fraction(-0.5, 640) == 0.0
    assert fraction(319.5, 640) == 0.5
    assert fraction(639.5, 640) == 1.0
    assert fraction(-80.0, 640) == 0.0
    assert fraction(4000.0, 640) == 1.0


@needs_hri_msgs
def test_a_region_ends_at_the_border_of_the_image() -> None:
    box = np.array([-20.0, 59.5, 159.5, 300.0], np.float32)
    face = Face(box, np.zeros((5, 2), np.float32), 0.75)
    msg = hri_messages.roi_msg(face, 320, 240, Header(frame_id='camera'))
    assert (msg.xmin, msg.ymin, msg.xmax, msg.ymax, msg.c) == (0.0, 0.25, 0.5, 1.0, 0.75)
    assert msg.header.frame_id == 'camera'


@needs_hri_msgs
def test_the_five_landmarks_have_their_numbers_and_the_others_no_confidence() -> None:
    landmarks = np.array([[79.5, 59.5], [159.5, 59.5], [119.5, 119.5], [-9, 180], [150, 180]])
    face = Face(np.zeros(4, np.float32), landmarks.astype(np.float32), 0.5)
    msg = hri_messages.landmarks_msg(face, 320, 240, Header())
    points = msg.landmarks
    assert len(points) == 70
    assert (msg.width, msg.height) == (320, 240)
    # The eye at the image's left is the person's right one.
    assert (points[msg.RIGHT_PUPIL].x, points[msg.RIGHT_PUPIL].y) == (0.25, 0.25)
    assert points[msg.LEFT_PUPIL].x == 0.5
    assert points[msg.NOSE].y == 0.5
    known = {number for number, point in enumerate(points) if point.c > 0}
    # The corner of the mouth outside of the image is not known.
    assert known == {msg.RIGHT_PUPIL, msg.LEFT_PUPIL, msg.NOSE, msg.MOUTH_OUTER_LEFT}


@needs_hri_msgs
def test_region_and_landmarks_are_in_the_image_as_the_camera_sent_it(
    tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    from hri_msgs.msg import FacialLandmarks, IdsList, NormalizedRegionOfInterest2D

    domain = next_domain()
    arguments = ['-p', f'model:={halving_model}', '-p', 'rep155:=true']
    arguments += ['-p', 'camera_rotation:=180']
    process, peer = NodeProcess(tmp_path, domain, arguments), Peer(domain)
    try:
        process.wait_for_log('waiting for Image')
        publisher = peer.publisher()
        msg = bgr8_message(np.ascontiguousarray(portrait[::-1, ::-1]))
        topic = '/humans/faces/cfrnet_0/{}'
        # The topics are created when the face appears.
        send_until(
            publisher,
            msg,
            lambda: peer.node.count_publishers(topic.format('landmarks')) > 0,
            'topics of the first face',
        )
        with (
            peer.collect(topic.format('roi'), msg_type=NormalizedRegionOfInterest2D) as regions,
            peer.collect(topic.format('landmarks'), msg_type=FacialLandmarks) as landmarks,
            peer.collect('/humans/faces/tracked', msg_type=IdsList) as tracked,
        ):

            def all_three() -> Any:
                return regions.messages and landmarks.messages and tracked.messages

            send_until(publisher, msg, all_three, 'region, landmarks and ids')
        region, points = regions.messages[-1], landmarks.messages[-1]
        assert tracked.messages[-1].ids == ['cfrnet_0']
        assert 0 <= region.xmin < region.xmax <= 1
        assert 0 <= region.ymin < region.ymax <= 1
        nose = points.landmarks[points.NOSE]
        assert region.xmin < nose.x < region.xmax
        assert region.ymin < nose.y < region.ymax
        # The face is upside down in the camera's image: the eyes lie below the mouth.
        assert points.landmarks[points.RIGHT_PUPIL].y > points.landmarks[points.MOUTH_OUTER_LEFT].y
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()
