"""Training faces in memory, and the windows that are cut out of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform
from training.data.crops import SIZE, load_image
from training.data.manifest import read_manifest, read_names


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
            root: Folder with MANIFEST.tsv.
            split: Name of the split in the manifest.
            device: Device that the faces lie on.
            exclude: Path of a list of file names to leave out, see `read_names`.

        Raises:
            FileNotFoundError: The manifest or the list is missing.
            ValueError: No face is left, or an image cannot be decoded.

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
            rng: Source of randomness.
            indices: Indices of the faces, B of them.
            crop: Side of the random window inside the 256 px crop.

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
