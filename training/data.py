"""Aligned faces from a folder of crops with a manifest."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cfrnet_ros.vision.align import DEFAULT_TEMPLATE, similarity_transform, warp_crop
from cfrnet_ros.vision.exposure import face_exposure_gain

SIZE = 256


@dataclass(frozen=True)
class FaceRecord:
    """One row of the manifest.

    Attributes:
        path: of the image.
        source: name of the collection it comes from.
        person: id; the same person has the same id.
        synthetic: whether a generator made the face.
        landmarks: (5, 2) float64 pixels, in the template's order.

    """

    path: Path
    source: str
    person: str
    synthetic: bool
    landmarks: NDArray[np.float64]


def read_manifest(root: Path, split: str) -> list[FaceRecord]:
    """Read one split of ``MANIFEST.tsv``, sorted by file name.

    Raises:
        FileNotFoundError: no manifest under root.
        ValueError: the split is empty.

    """
    manifest = root / 'MANIFEST.tsv'
    if not manifest.is_file():
        raise FileNotFoundError(f'{manifest} is missing: pass the folder of faces that holds it')
    records = []
    with manifest.open(newline='', encoding='utf-8') as stream:
        for row in csv.DictReader(stream, delimiter='\t'):
            if row['split'] != split or not row['landmarks5']:
                continue
            points = np.array([float(v) for v in row['landmarks5'].split(',')]).reshape(5, 2)
            records.append(
                FaceRecord(
                    root / split / row['file'],
                    row['source'],
                    row['person'],
                    row['synthetic'] == '1',
                    points,
                )
            )
    if not records:
        raise ValueError(f'{manifest} lists no face with landmarks in split {split!r}')
    return sorted(records, key=lambda r: r.path.name)


def manifest_sha256(root: Path) -> str:
    """Return the hash of the manifest: it names every file, so it names the data."""
    return hashlib.sha256((root / 'MANIFEST.tsv').read_bytes()).hexdigest()


def load_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) uint8 BGR.

    Raises:
        ValueError: it cannot be decoded.

    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f'{path} cannot be decoded as an image')
    return np.asarray(image, dtype=np.uint8)


def to_tensor(bgr: NDArray[np.uint8]) -> Tensor:
    """Turn (H, W, 3) uint8 BGR into (1, 3, H, W) float32 RGB in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(bgr[..., ::-1])).permute(2, 0, 1)[None] / 255.0


def to_image(rgb: Tensor) -> NDArray[np.uint8]:
    """Turn (1, 3, H, W) or (3, H, W) RGB in 0..1 into (H, W, 3) uint8 BGR."""
    array = rgb.detach().float().cpu().reshape(3, *rgb.shape[-2:]).clamp(0, 1)
    bytes_ = (array * 255.0).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(bytes_[..., ::-1])


def expose(face: Tensor) -> Tensor:
    """Brighten an underexposed (1, 3, H, W) face in 0..1 as the node does before restoring it.

    The gain is measured, not learned from: no gradient flows through it.
    """
    gain = face_exposure_gain(to_image(face))
    return face if gain <= 1.0 else (face * gain).clamp(0.0, 1.0)


def aligned(record: FaceRecord, size: int = SIZE) -> NDArray[np.uint8]:
    """Return a record's face as the restorer's (size, size, 3) uint8 BGR crop."""
    affine = similarity_transform(record.landmarks, size, DEFAULT_TEMPLATE)
    return warp_crop(load_image(record.path), affine, size)


class TrainingFaces:
    """Training faces in memory, cut out afresh at each draw with a jittered alignment.

    A detector's landmarks are off by some pixels and faces are never all
    upright; without the jitter the network relies on eyes at exact places.
    """

    def __init__(self, root: Path, split: str = 'train') -> None:
        """Load the split's images (about 1 GB for 3,000 crops)."""
        self.records = read_manifest(root, split)
        self.images = [load_image(r.path) for r in self.records]

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.records)

    def draw(self, rng: np.random.Generator, index: int, crop: int) -> tuple[Tensor, Tensor]:
        """Cut one augmented face.

        Args:
            rng: source of randomness.
            index: which face.
            crop: side of the random window inside the 256 px crop.

        Returns:
            (1, 3, crop, crop) float32 RGB in 0..1 and the (1, 1, crop, crop)
            weight map of the facial components.

        """
        record = self.records[index]
        affine = similarity_transform(record.landmarks, SIZE, DEFAULT_TEMPLATE)
        centre = SIZE / 2
        angle = rng.normal(0.0, 0.06)
        scale = float(np.exp(rng.normal(0.0, 0.06)))
        shift = rng.normal(0.0, 4.0, 2)
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        jitter = np.array(
            [
                [cos, -sin, centre - cos * centre + sin * centre + shift[0]],
                [sin, cos, centre - sin * centre - cos * centre + shift[1]],
                [0.0, 0.0, 1.0],
            ]
        )
        jittered = (jitter @ np.vstack([affine, [0.0, 0.0, 1.0]]))[:2]
        face = warp_crop(self.images[index], jittered, SIZE)
        if rng.random() < 0.5:
            face = np.ascontiguousarray(face[:, ::-1])
        x, y = rng.integers(0, SIZE - crop + 1, 2)
        tensor = to_tensor(face[y : y + crop, x : x + crop])
        tensor = _recolour(rng, tensor)
        return tensor, COMPONENT_MAP[:, :, y : y + crop, x : x + crop]


def _recolour(rng: np.random.Generator, face: Tensor) -> Tensor:
    """Vary white balance, contrast and exposure: studio light is not the only light."""
    if rng.random() < 0.5:
        return face
    gains = torch.from_numpy(np.exp(rng.normal(0.0, 0.06, 3))).to(face).view(1, 3, 1, 1)
    gamma = float(np.exp(rng.normal(0.0, 0.15)))
    return (face.clamp(1e-4, 1.0).pow(gamma) * gains).clamp(0.0, 1.0)


def component_map(size: int = SIZE) -> Tensor:
    """Return a (1, 1, size, size) map, 1 on eyes, nose and mouth and 0 far from them.

    Gaussian spots on the template's points, symmetrised (mirrored faces are as
    likely), wide enough for the alignment's jitter.
    """
    points = DEFAULT_TEMPLATE * size
    mouth = points[3:].mean(axis=0)
    spots = [(*points[0], 24.0, 16.0), (*points[1], 24.0, 16.0), (*points[2], 18.0, 18.0)]
    spots.append((float(mouth[0]), float(mouth[1]), 34.0, 16.0))
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float64)
    field = np.zeros((size, size))
    unit = size / 256.0
    for cx, cy, sx, sy in spots:
        spot = np.exp(-0.5 * (((xs - cx) / (sx * unit)) ** 2 + ((ys - cy) / (sy * unit)) ** 2))
        field = np.maximum(field, spot)
    symmetric = (field + field[:, ::-1]) / 2
    return torch.from_numpy(symmetric.astype(np.float32))[None, None]


COMPONENT_MAP = component_map()
