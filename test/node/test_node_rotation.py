"""A camera on its side: crops are upright, everything else is in the camera's pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
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
