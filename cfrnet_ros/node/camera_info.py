"""The source's sensor_msgs/CameraInfo, and that of a crop."""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from cfrnet_ros.node.throttled_log import ThrottledLog
from cfrnet_ros.vision.views.crop_camera import crop_camera


def camera_info_topic(node: Node, image_topic: str) -> str:
    """Name of the topic with the camera's intrinsics.

    The one that `camera_info` is remapped to; without that the one beside the image, as
    image_transport has it: `/dms/camera_info` beside `/dms/image_raw`.
    """
    resolved = str(node.resolve_topic_name('camera_info'))
    if resolved != f'{node.get_namespace().rstrip("/")}/camera_info':
        return resolved
    base = image_topic.removesuffix('/compressed')
    return f'{base.rpartition("/")[0]}/camera_info'


class CameraInfoHolder:
    """Keeps the newest intrinsics; written by the executor, read by the worker."""

    def __init__(self, log: ThrottledLog) -> None:
        """Start without any."""
        self._log = log
        self._lock = Lock()
        self._newest: CameraInfo | None = None

    def take(self, msg: CameraInfo) -> None:
        """Keep a message, for all images until the next."""
        with self._lock:
            self._newest = msg

    def clear(self) -> None:
        """Forget it, for another camera may come."""
        with self._lock:
            self._newest = None

    def of_image(self, width: int, height: int) -> CameraInfo | None:
        """Return what is known of a camera with images of this size.

        None while nothing came, where the camera is not calibrated (`k[0]` is 0), and,
        with a warning, where the intrinsics are of images of another size.
        """
        with self._lock:
            info = self._newest
        if info is None or info.k[0] == 0.0:
            return None
        if (info.width, info.height) != (width, height):
            self._log.warn(
                'camera_info',
                '~/face/camera_info is not published: camera_info describes'
                f' {info.width}x{info.height} images, but the images are {width}x{height}; publish'
                ' the intrinsics of this image size',
            )
            return None
        return info


def crop_camera_info(
    info: CameraInfo, affine: NDArray[np.float64], size: int, header: Header
) -> CameraInfo:
    """Describe the camera that would have taken a crop; see `vision.views.crop_camera`.

    Args:
        info: of the frame.
        affine: (2, 3) matrix from frame pixels to crop pixels.
        size: side of the crop in pixels.
        header: of the source image.

    Returns:
        CameraInfo with `roi` and binning at rest, since a turned and scaled crop is not a
        part of the sensor.

    """
    camera = crop_camera(info.k, info.d, info.r, info.p, info.distortion_model, affine)
    msg = CameraInfo(header=header, width=size, height=size)
    msg.distortion_model = info.distortion_model
    msg.k = camera.k.ravel().tolist()
    msg.d = camera.d.tolist()
    msg.r = camera.r.ravel().tolist()
    msg.p = camera.p.ravel().tolist()
    return msg
