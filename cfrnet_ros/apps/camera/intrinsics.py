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

"""Intrinsics of the camera, from a calibration file or an angle of view."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml
from sensor_msgs.msg import CameraInfo

from cfrnet_ros.apps.media.errors import MediaError

_IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


def read_calibration(path: Path) -> CameraInfo:
    """Read a file of camera_calibration, the form of camera_info_manager.

    Args:
        path: Path of the YAML file.

    Raises:
        MediaError: The file cannot be read or lacks an entry; the text names it.

    """
    try:
        data = yaml.safe_load(path.read_text(encoding='utf-8'))
        info = CameraInfo(
            width=int(data['image_width']),
            height=int(data['image_height']),
            distortion_model=str(data['distortion_model']),
        )
        info.k = _numbers(data, 'camera_matrix', 9)
        info.d = _numbers(data, 'distortion_coefficients', None)
        info.r = _numbers(data, 'rectification_matrix', 9)
        info.p = _numbers(data, 'projection_matrix', 12)
    except OSError as error:
        raise MediaError(f"'{path}': {error.strerror}") from error
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise MediaError(
            f"'{path}' is not a calibration file as camera_calibration writes it: {error!r}"
        ) from error
    return info


def of_angle(width: int, height: int, fov_deg: float) -> CameraInfo:
    """Describe a pinhole camera.

    Args:
        width: Width of the images in pixels.
        height: Height of the images in pixels.
        fov_deg: Horizontal angle of view in degrees, 0 < angle < 180; 0 for an unknown one, which
            by the convention of sensor_msgs/CameraInfo leaves all matrices at 0.

    """
    info = CameraInfo(width=width, height=height)
    if fov_deg:
        focal = width / 2 / math.tan(math.radians(fov_deg) / 2)
        x, y = (width - 1) / 2, (height - 1) / 2
        info.distortion_model = 'plumb_bob'
        info.d = [0.0] * 5
        info.k = [focal, 0.0, x, 0.0, focal, y, 0.0, 0.0, 1.0]
        info.r = _IDENTITY
        info.p = [focal, 0.0, x, 0.0, 0.0, focal, y, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def _numbers(data: Any, name: str, count: int | None) -> list[float]:
    values = [float(value) for value in data[name]['data']]
    if count is not None and len(values) != count:
        raise ValueError(f'{name} must have {count} numbers, not {len(values)}')
    return values
