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

"""Writes the crops of faces, before and after restoration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.apps.media.errors import MediaError
from cfrnet_ros.apps.media.whole_file import whole_file
from cfrnet_ros.apps.restore.plan import AFTER, BEFORE, COMPARED
from cfrnet_ros.vision.types import RestoredFace


def write_crops(
    out: Path, name: Path, faces: Sequence[RestoredFace], check: Callable[[Path], None]
) -> None:
    """Write each face before, after and side by side, as PNG files.

    Args:
        out: Folder of the results.
        name: Path of the picture from its folder in the results, without a suffix; the number of
            the face is added to it.
        faces: Faces of the picture; of one that was not restored, only the crop before is written.
        check: Function that is called with each path before it is written, and raises for one that
            must not be.

    Raises:
        MediaError: A file cannot be written.

    """
    for number, face in enumerate(faces):
        pictures = {BEFORE: face.aligned}
        if face.restored:
            pictures |= {AFTER: face.crop, COMPARED: np.hstack([face.aligned, face.crop])}
        for folder, picture in pictures.items():
            path = out / folder / name.with_name(f'{name.name}_{number:02d}.png')
            check(path)
            _write(path, picture)


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    done, data = cv2.imencode('.png', picture)
    if not done:
        raise MediaError(f"cannot write '{path}': OpenCV has no encoder for PNG")
    try:
        with whole_file(path) as part:
            part.write_bytes(data.tobytes())
    except OSError as error:
        raise MediaError(f"cannot write '{path}': {error.strerror or error}") from error
