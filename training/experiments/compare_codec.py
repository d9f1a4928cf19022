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

"""Compare `Video` with x264: ``python -m training.experiments.compare_codec --data FACES``.

Each face is filmed sliding by about a pixel a picture and encoded by x264 (through PyAV) at
a constant QP; the last of eight pictures, and the first, are compared with what was put
in, and so is what `Video` makes of the same picture. Prints the table of
`docs/degradations.md`.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.data.crops import aligned, to_image, to_tensor
from training.data.manifest import read_manifest
from training.degradation.blocks import from_planes, to_planes
from training.degradation.plan import Degradation
from training.degradation.video import Video
from training.metrics import ssim

#: Pictures in a clip.
LENGTH = 8


def filmed(face: NDArray[np.uint8], seed: int) -> list[NDArray[np.uint8]]:
    """Return a clip of a face that slides by a normally drawn fraction of a pixel a picture.

    Args:
        face: (H, W, 3) uint8 BGR; the last picture is this one.
        seed: Seed of the movement, whose standard deviation is 1 px a picture in each direction.

    Returns:
        `LENGTH` pictures like it.

    """
    speed = np.random.default_rng(seed).normal(0.0, 1.0, 2)
    size = (face.shape[1], face.shape[0])
    clip = []
    for left in range(LENGTH - 1, 0, -1):
        matrix = np.array([[1.0, 0.0, speed[0] * left], [0.0, 1.0, speed[1] * left]])
        picture = cv2.warpAffine(
            face, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        clip.append(np.asarray(picture, np.uint8))
    return [*clip, face]


def encoded(clip: Sequence[NDArray[np.uint8]], qp: int) -> list[NDArray[np.uint8]]:
    """Return a clip as x264 leaves it at a constant QP.

    Colour is converted here on both sides, so that only the codec is compared.

    Args:
        clip: (H, W, 3) uint8 BGR pictures; H and W are multiples of 16.
        qp: 0..51.

    Returns:
        The decoded pictures.

    Raises:
        ImportError: PyAV is not installed.

    """
    import av

    height, width = clip[0].shape[:2]
    buffer = io.BytesIO()
    with av.open(buffer, 'w', format='matroska') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        stream.options = {'qp': str(qp), 'bf': '0', 'g': '250', 'preset': 'veryfast'}
        for picture in clip:
            planes = [
                (plane + 128.0).round().clamp(0, 255).byte().numpy().reshape(-1)
                for plane in to_planes(to_tensor(picture))
            ]
            packed = np.concatenate(planes).reshape(height * 3 // 2, width)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(packed, format='yuv420p')))
        container.mux(stream.encode())
    buffer.seek(0)
    decoded = []
    with av.open(buffer, 'r') as container:
        for frame in container.decode(video=0):
            packed = torch.from_numpy(frame.to_ndarray()).float() - 128.0
            luma = packed[:height].reshape(1, 1, height, width)
            colour = packed[height:].reshape(1, 2, height // 2, width // 2)
            decoded.append(to_image(from_planes(luma, colour, height, width)))
    return decoded


def modelled(face: NDArray[np.uint8], step: Video) -> NDArray[np.uint8]:
    """Return a face as the model of the codec leaves it; uint8 BGR in and out."""
    return to_image(Degradation((step,))(to_tensor(face)))


def figures(decoded: NDArray[np.uint8], face: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Return PSNR in dB, SSIM, and the share of the Laplacian's variance that is left."""
    sharp = [
        float(cv2.Laplacian(cv2.cvtColor(i, cv2.COLOR_BGR2GRAY), cv2.CV_32F).var())
        for i in (decoded, face)
    ]
    similar = float(ssim(to_tensor(decoded), to_tensor(face)))
    return float(cv2.PSNR(decoded, face)), similar, sharp[0] / sharp[1]


def main() -> None:
    """Parse the command line, compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with MANIFEST.tsv')
    parser.add_argument('--split', default='val')
    parser.add_argument('--faces', type=int, default=12, help='first N')
    parser.add_argument('--sizes', type=int, nargs='*', default=[256, 96], help='px a side')
    parser.add_argument('--qps', type=int, nargs='*', default=[24, 28, 32, 36, 40])
    args = parser.parse_args()
    records = read_manifest(args.data, args.split)[: args.faces]
    print('| side | QP | picture | x264: PSNR, SSIM, sharpness | model |\n|---|---|---|---|---|')
    for size in args.sizes:
        for qp in args.qps:
            rows: dict[str, list[tuple[tuple[float, ...], tuple[float, ...]]]] = {}
            for number, record in enumerate(records):
                crop = cv2.resize(aligned(record), (size, size), interpolation=cv2.INTER_AREA)
                face = np.asarray(crop, np.uint8)
                real = encoded(filmed(face, number), qp)[-1]
                alone = encoded([face], qp)[0]
                right, down = 2 * (number % 3), 2 * (number % 2)
                for name, picture, step in (
                    ('predicted', real, Video(qp, right, down, soft=0.05)),
                    ('key', alone, Video(qp, key=True)),
                ):
                    pair = (figures(picture, face), figures(modelled(face, step), face))
                    rows.setdefault(name, []).append(pair)
            for name, pairs in rows.items():
                means = np.mean(np.array(pairs), axis=0)
                cells = ' | '.join(f'{p:.1f} dB, {s:.3f}, {h:.2f}' for p, s, h in means)
                print(f'| {size} | {qp} | {name} | {cells} |', flush=True)


if __name__ == '__main__':
    main()
