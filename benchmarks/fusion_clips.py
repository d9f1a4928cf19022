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

"""Films real clips of people with bad cameras, for `benchmarks.fusion`.

The clips are taken as the truth: what a perfect camera would see.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.detection.detector import YuNetDetector
from cfrnet_ros.vision.engine.providers import choose_providers
from cfrnet_ros.vision.preprocessing.align import warp_crop
from demo import bad_camera

Picture = NDArray[np.uint8]

#: Frames a second at which the clips are played, and most frames taken of each.
FPS, MOST_FRAMES = 30, 60

#: Score from which a face of the undisturbed clip is followed, and the lowest part of the picture
#: in which it may begin: a print on a shirt is below it.
_SURE, _LOWEST = 0.8, 0.5

Film = Callable[[Sequence[Picture], np.random.Generator], list[Picture]]


@dataclass(frozen=True)
class Camera:
    """A camera that films a clip.

    Attributes:
        name: Name for people.
        film: Function from the (H, W, 3) pictures of a perfect camera to this camera's.
        scale: Size of its picture as a factor of the clip's.
        grey: Whether the truth is the picture of a perfect infrared camera.

    """

    name: str
    film: Film
    scale: float = 1.0
    grey: bool = False


@dataclass(frozen=True)
class Filmed:
    """One filmed frame.

    Attributes:
        time_s: Time since the start, in seconds.
        seen: (H, W, 3) uint8 BGR picture of the camera.
        truth: (H, W, 3) uint8 BGR picture of a perfect camera, of the size of `seen` or larger.
        box: (4,) left, top, right, bottom of the person's face in `seen`, found in the clip; None
            if it was not found.

    """

    time_s: float
    seen: Picture
    truth: Picture
    box: NDArray[np.float32] | None

    def truth_crop(self, affine: NDArray[np.float64], size: int) -> Picture:
        """Cut out of the truth the crop that was cut out of what the camera saw.

        Args:
            affine: (2, 3) matrix from pixels of `seen` to pixels of the crop.
            size: Side of the crop in pixels.

        Returns:
            (size, size, 3) uint8 BGR crop.

        """
        return warp_crop(self.truth, after_scaling(affine, self.seen, self.truth), size)


def _each(condition: bad_camera.Condition) -> Film:
    """Return a camera that treats each frame alone."""

    def film(pictures: Sequence[Picture], rng: np.random.Generator) -> list[Picture]:
        return [condition(one, index / FPS, rng) for index, one in enumerate(pictures)]

    return film


def _jpeg50(picture: Picture, time_s: float, rng: np.random.Generator) -> Picture:
    """Simulate a good webcam with a little noise that sends JPEG of quality 50."""
    light = bad_camera.expose(bad_camera.to_linear(picture), 900.0, 6.0, rng)
    return bad_camera.jpeg(bad_camera.to_srgb(light), 50)


def _video(pictures: Sequence[Picture], rng: np.random.Generator) -> list[Picture]:
    """Simulate a network camera: a little noise, H.264 of constant rate factor 28."""
    height, width = (side // 2 * 2 for side in pictures[0].shape[:2])
    file = io.BytesIO()
    with av.open(file, 'w', format='matroska') as container:
        stream = container.add_stream('libx264', rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        # One thread, so that the same frames give the same bytes.
        stream.options = {'crf': '28', 'preset': 'veryfast', 'threads': '1', 'tune': 'zerolatency'}
        for picture in pictures:
            light = bad_camera.expose(bad_camera.to_linear(picture), 900.0, 6.0, rng)
            frame = np.ascontiguousarray(bad_camera.to_srgb(light)[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='bgr24')))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        decoded = [np.asarray(f.to_ndarray(format='bgr24'), np.uint8) for f in container.decode()]
    return decoded


CAMERAS = (
    Camera('noise', _each(bad_camera.daylight_noise)),
    Camera('night', _each(bad_camera.low_light)),
    Camera('infrared', _each(bad_camera.infrared), grey=True),
    Camera('JPEG 50', _each(_jpeg50)),
    Camera('video', _video),
    Camera('compression', _each(bad_camera.compression)),
    Camera('motion blur', _each(bad_camera.motion_blur)),
    Camera('glare', _each(bad_camera.glare)),
    Camera('noise, half size', _each(bad_camera.daylight_noise), 0.5),
    Camera('JPEG 50, half size', _each(_jpeg50), 0.5),
    Camera('video, half size', _video, 0.5),
    Camera('clean', lambda pictures, rng: list(pictures)),
)


def camera_named(name: str) -> Camera:
    """Return the camera of `CAMERAS` that has a name; a process of its own is given the name."""
    return next(camera for camera in CAMERAS if camera.name == name)


def clips_in(folder: Path) -> list[Path]:
    """Return the paths of the clips in a folder, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix in ('.mkv', '.gif', '.mp4'))


def read_clip(path: Path) -> list[Picture]:
    """Read the first frames of a clip as (H, W, 3) uint8 BGR.

    Raises:
        FileNotFoundError: The clip cannot be read.

    """
    capture = cv2.VideoCapture(str(path))
    pictures: list[Picture] = []
    while len(pictures) < MOST_FRAMES:
        more, picture = capture.read()
        if not more:
            break
        pictures.append(np.asarray(picture, np.uint8))
    if not pictures:
        raise FileNotFoundError(f"'{path}' cannot be read as a video")
    return pictures


def film(camera: Camera, clip: str, pictures: Sequence[Picture]) -> Iterator[Filmed]:
    """Film a clip.

    Args:
        camera: Camera that films it.
        clip: Name of the clip; with the camera's name it seeds the noise.
        pictures: Frames of the clip, (H, W, 3) uint8 BGR.

    """
    detector = YuNetDetector(None, choose_providers('cpu'), 640, 1)
    rng = np.random.default_rng(zlib.crc32(f'{clip}/{camera.name}'.encode()))
    truths = list(pictures)
    if camera.scale != 1:
        truths = [
            np.asarray(
                cv2.resize(
                    one, None, fx=camera.scale, fy=camera.scale, interpolation=cv2.INTER_AREA
                ),
                np.uint8,
            )
            for one in truths
        ]
    for index, seen in enumerate(camera.film(truths, rng)):
        truth = bad_camera.perfect_infrared(truths[index]) if camera.grey else truths[index]
        if seen.ndim == 2:
            seen = np.asarray(cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR), np.uint8)
        picture = pictures[index]
        found = [
            face
            for face in detector.detect(picture, _SURE)
            if face.box[1] < _LOWEST * picture.shape[0]
        ]
        box = max(found, key=lambda face: face.score).box * camera.scale if found else None
        yield Filmed(index / FPS, seen, truth, box)


def after_scaling(
    affine: NDArray[np.float64], picture: Picture, scaled: Picture
) -> NDArray[np.float64]:
    """Return the affine matrix that does for a scaled picture what `affine` does for the picture.

    Args:
        affine: (2, 3) matrix from pixels of the picture, whole numbers at their centres.
        picture: (H, W, 3) picture.
        scaled: The same picture at another size.

    """
    factor = picture.shape[1] / scaled.shape[1]
    shift = 0.5 * factor - 0.5
    back = np.array([[factor, 0.0, shift], [0.0, factor, shift], [0.0, 0.0, 1.0]])
    return np.asarray(affine, np.float64) @ back


def overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the intersection of two boxes as a share of their union, 0..1."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    both = float(np.prod(np.maximum(high - low, 0.0)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (one, other)]
    return both / max(sum(areas) - both, 1e-9)
