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

"""A camera on its side: crops are upright, everything else is in the camera's pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PolygonStamped
from node_harness import NodeProcess, Peer, bgr8_message, pixels_of, send_until
from numpy.typing import NDArray
from ros_domains import next_domain

from cfrnet_ros.vision.camera_rotation import rotate_back
from cfrnet_ros.vision.preprocessing.align import warp_crop
from cfrnet_ros.vision.views.crop_geometry import affine_from_corners


@pytest.mark.parametrize('rotation', [90, 180])
def test_crops_are_upright_and_outlines_in_the_pixels_of_the_camera(
    rotation: int, tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    domain = next_domain()
    process = NodeProcess(
        tmp_path,
        domain,
        [
            *('-p', f'model:={halving_model}', '-p', f'camera_rotation:={rotation}'),
            # Too few grey values to be restored: crops are passed on as the camera saw them.
            *('-p', 'min_brightness:=255.0', '-p', 'landmark_smoothing:=false'),
        ],
    )
    seen = rotate_back(portrait, rotation)
    peer = Peer(domain)
    try:
        process.wait_for_log('waiting for Image')
        publisher = peer.publisher('image')
        topics = ('face/image', 'image_restored', 'image_debug')
        images = [peer.collect(f'/cfrnet/{topic}') for topic in topics]
        outlines = peer.collect('/cfrnet/face/outline', msg_type=PolygonStamped)
        wanted = [*images, outlines]
        send_until(
            publisher, bgr8_message(seen), lambda: all(r.messages for r in wanted), 'all outputs'
        )
        crop, restored, debug = (pixels_of(each.messages[-1]) for each in images)
        points = [(p.x, p.y) for p in outlines.messages[-1].polygon.points]
        affine = affine_from_corners(np.array(points), *crop.shape[:2])
        cut = warp_crop(seen, affine, len(crop))
        assert np.abs(cut.astype(int) - crop).mean() < 2
        # Up in the crop is up in the scene: the outline begins at the crop's left top.
        down = np.subtract(points[3], points[0])
        assert (down[0] > 0) if rotation == 90 else (down[1] < 0)
        assert abs(down).argmax() == (0 if rotation == 90 else 1)
        assert np.array_equal(restored, seen)
        assert debug.shape == portrait.shape
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()


def test_an_upside_down_camera_is_told_with_the_remedy_and_nothing_is_restored(
    tmp_path: Path, halving_model: Path, portrait: NDArray[np.uint8]
) -> None:
    domain = next_domain()
    process = NodeProcess(tmp_path, domain, ['-p', f'model:={halving_model}'])
    peer = Peer(domain)
    upside_down = bgr8_message(np.ascontiguousarray(portrait[::-1, ::-1]))
    told = 'not_upright (min_upright -0.03); if the camera is mounted upside down or on its side'
    try:
        process.wait_for_log('waiting for Image')
        publisher = peer.publisher('image')
        faces = peer.collect('/cfrnet/face/status', msg_type=DiagnosticArray)
        send_until(publisher, upside_down, lambda: any(m.status for m in faces.messages), 'a face')
        found = [m.status[0] for m in faces.messages if m.status]
        assert {status.message for status in found} == {'not_upright'}
        start = len(peer.diagnostics)

        def warned() -> bool:
            statuses = [d['restoration'] for d in peer.diagnostics[start:]]
            return any(told in s.message and s.level == DiagnosticStatus.WARN for s in statuses)

        send_until(publisher, upside_down, warned, told)
        assert process.end() == 0
    finally:
        peer.close()
        process.kill()
