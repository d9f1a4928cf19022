"""Aligned faces from a folder of crops with a manifest."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform, warp_crop
from cfrnet_ros.vision.preprocessing.exposure import face_exposure_gain

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


def read_names(path: Path) -> set[str]:
    """Read a list of file names, one a line; lines that begin with # say why.

    Raises:
        FileNotFoundError: there is no such list.

    """
    if not path.is_file():
        raise FileNotFoundError(f'{path}, the list of images to leave out, is missing')
    lines = path.read_text(encoding='utf-8').splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith('#')}


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
    The faces lie on the device that trains, so that a GPU waits for no copy.
    """

    def __init__(
        self,
        root: Path,
        split: str = 'train',
        device: torch.device | str = 'cpu',
        exclude: Path | None = None,
    ) -> None:
        """Load the split's images (about 1 GB for 3,000 crops of 320 px).

        Args:
            root: folder with MANIFEST.tsv.
            split: which part of it.
            device: on which the faces are to lie.
            exclude: list of file names to leave out, see `read_names`.

        Raises:
            FileNotFoundError: the manifest or the list is missing.
            ValueError: no face is left, or an image cannot be decoded.

        """
        left_out = read_names(exclude) if exclude else set()
        self.records = [r for r in read_manifest(root, split) if r.path.name not in left_out]
        self.device = torch.device(device)
        images = [load_image(r.path) for r in self.records]
        side = max(max(image.shape[:2]) for image in images)
        self.images = torch.empty((len(images), 3, side, side), dtype=torch.uint8)
        for index, image in enumerate(images):
            height, width = image.shape[:2]
            # Smaller images grow by their mirror image, as the aligner does beyond a border.
            whole = cv2.copyMakeBorder(
                image, 0, side - height, 0, side - width, cv2.BORDER_REFLECT_101
            )
            self.images[index] = torch.from_numpy(
                np.ascontiguousarray(whole[..., ::-1].transpose(2, 0, 1))
            )
        self.images = self.images.to(self.device)
        self._components = component_map().to(self.device)

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.records)

    def draw(
        self, rng: np.random.Generator, indices: Sequence[int], crop: int
    ) -> tuple[Tensor, Tensor]:
        """Cut augmented faces.

        Args:
            rng: source of randomness.
            indices: which faces, B of them.
            crop: side of the random window inside the 256 px crop.

        Returns:
            (B, 3, crop, crop) float32 RGB in 0..1 and the (B, 1, crop, crop)
            weight maps of the facial components, on the device.

        """
        grids, places = [], []
        for index in indices:
            affine = np.vstack([self._jittered(rng, index), [0.0, 0.0, 1.0]])
            if rng.random() < 0.5:
                affine = np.array([[-1.0, 0, SIZE - 1], [0, 1, 0], [0, 0, 1]]) @ affine
            x, y = (int(v) for v in rng.integers(0, SIZE - crop + 1, 2))
            window = np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])
            grids.append((np.linalg.inv(affine) @ window)[:2])
            places.append((x, y))
        chosen = torch.as_tensor(np.asarray(indices), device=self.device)
        faces = _sample(self.images[chosen].float() / 255.0, np.stack(grids), crop)
        faces = _recolour(rng, faces)
        maps = [self._components[:, :, y : y + crop, x : x + crop] for x, y in places]
        return faces, torch.cat(maps)

    def _jittered(self, rng: np.random.Generator, index: int) -> NDArray[np.float64]:
        affine = similarity_transform(self.records[index].landmarks, SIZE, DEFAULT_TEMPLATE)
        centre = SIZE / 2
        angle = rng.normal(0.0, 0.06)
        scale = float(np.exp(rng.normal(0.0, 0.06)))
        shift = rng.normal(0.0, 4.0, 2)
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        jitter = np.array(
            [
                [cos, -sin, centre - cos * centre + sin * centre + shift[0]],
                [sin, cos, centre - sin * centre - cos * centre + shift[1]],
            ]
        )
        return np.asarray(jitter @ np.vstack([affine, [0.0, 0.0, 1.0]]))


def _sample(images: Tensor, inverse: NDArray[np.float64], crop: int) -> Tensor:
    """Sample (B, 3, S, S) images bilinearly: inverse (B, 2, 3) maps window to image pixels."""
    side = images.shape[-1]
    axis = torch.arange(crop, device=images.device, dtype=torch.float32)
    matrix = torch.from_numpy(inverse).to(images.device, torch.float32)
    x = matrix[:, 0, 0, None, None] * axis + matrix[:, 0, 1, None, None] * axis[:, None]
    y = matrix[:, 1, 0, None, None] * axis + matrix[:, 1, 1, None, None] * axis[:, None]
    grid = torch.stack([x + matrix[:, 0, 2, None, None], y + matrix[:, 1, 2, None, None]], dim=-1)
    return F.grid_sample(
        images, grid * (2.0 / (side - 1)) - 1.0, padding_mode='reflection', align_corners=True
    )


def _recolour(rng: np.random.Generator, faces: Tensor) -> Tensor:
    """Vary white balance, contrast and exposure: studio light is not the only light."""
    count = faces.shape[0]
    changed = rng.random(count) >= 0.5
    gains = np.where(changed[:, None], np.exp(rng.normal(0.0, 0.06, (count, 3))), 1.0)
    gamma = np.where(changed, np.exp(rng.normal(0.0, 0.15, count)), 1.0)
    scale = torch.from_numpy(gains).to(faces).view(count, 3, 1, 1)
    power = torch.from_numpy(gamma).to(faces).view(count, 1, 1, 1)
    return (faces.clamp(1e-4, 1.0).pow(power) * scale).clamp(0.0, 1.0)


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
