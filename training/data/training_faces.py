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

"""Training faces in memory, and the windows that are cut out of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cfrnet_ros.vision.preprocessing.align import DEFAULT_TEMPLATE, similarity_transform
from training.data.augment import draw_scene, lay_scenes
from training.data.augmentation import Augmentation
from training.data.crops import SIZE
from training.data.images import load_image
from training.data.lids import draw_closures, draw_lids, outlines_of
from training.data.manifest import read_manifest, read_names
from training.data.pose import draw_pose, turned_grid

#: Distance in pixels between the places at which a turned head's grid is computed.
_POSE_STEP = 16
#: Seed of the lids that are drawn down, and the shares of those drawn down by any amount and of
#: those that are shut; the others are winks.
_LIDS_SEED, _LIDS = 17, (0.45, 0.45)


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
        self._root = root
        self._components = component_map().to(self.device)

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.records)

    def chances(self, weights: Mapping[str, float]) -> NDArray[np.float64] | None:
        """Return how often each face is to be drawn, or None if all are drawn alike.

        Args:
            weights: Weight of the faces whose file name matches a pattern (`fnmatch`); the first
                pattern that matches counts, and 1 where none does.

        Raises:
            ValueError: A weight is negative, a pattern matches no face, or all weights are 0.

        """
        if not weights:
            return None
        names = [record.path.name for record in self.records]
        for pattern, weight in weights.items():
            if weight < 0:
                raise ValueError(f'the weight of the faces {pattern!r} is negative: {weight}')
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ValueError(
                    f'no training face has a name like {pattern!r}; take it out of face_weights'
                )
        chosen = [
            next((w for pattern, w in weights.items() if fnmatchcase(name, pattern)), 1.0)
            for name in names
        ]
        total = sum(chosen)
        if total <= 0:
            raise ValueError(f'the weights {dict(weights)} leave no training face')
        return np.array(chosen, dtype=np.float64) / total

    def draw(
        self,
        rng: np.random.Generator,
        indices: Sequence[int],
        crop: int,
        augmentation: Augmentation | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Cut augmented faces.

        Args:
            rng: Source of randomness.
            indices: Indices of the faces, B of them.
            crop: Side of the random window inside the 256 px crop.
            augmentation: Shares of turned heads, shadows, reflections, hands and lids; None for
                none.

        Returns:
            (B, 3, crop, crop) float32 RGB in 0..1 and the (B, 1, crop, crop)
            weight maps of the facial components, on the device.

        """
        chances = augmentation or Augmentation()
        grids, places, poses, blinking = [], [], [], []
        for index in indices:
            affine = np.vstack([self._jittered(rng, index), [0.0, 0.0, 1.0]])
            if rng.random() < 0.5:
                affine = np.array([[-1.0, 0, SIZE - 1], [0, 1, 0], [0, 0, 1]]) @ affine
            x, y = (int(v) for v in rng.integers(0, SIZE - crop + 1, 2))
            window = np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])
            grids.append((np.linalg.inv(affine) @ window)[:2])
            places.append((x, y))
            turned = chances.pose > 0 and rng.random() < chances.pose
            poses.append(draw_pose(rng) if turned else None)
            blinking.append(chances.lids > 0 and rng.random() < chances.lids)
        chosen = torch.as_tensor(np.asarray(indices), device=self.device)
        moved = _moved(poses, places, crop, self.device)
        images = self.images[chosen]
        if any(blinking):
            lidded = torch.tensor(blinking, device=self.device).view(-1, 1, 1, 1)
            images = torch.where(lidded, self._lidded[chosen], images)
        faces = _sample(images.float() / 255.0, np.stack(grids), crop, moved)
        faces = _recolour(rng, faces)
        scenes = [draw_scene(rng, chances) for _ in indices]
        faces = lay_scenes(faces, scenes, np.array(places, dtype=np.float64))
        maps = [self._components[:, :, y : y + crop, x : x + crop] for x, y in places]
        return faces, torch.cat(maps)

    @cached_property
    def _lidded(self) -> Tensor:
        """The images with their lids drawn down, each by its own share; made at their first use.

        A face whose eyes were not found is as it was.
        """
        images = self.images.cpu().clone()
        outlines = outlines_of(self._root, self.records)
        for index, (record, eyes) in enumerate(zip(self.records, outlines, strict=True)):
            if np.isfinite(eyes).all():
                rng = np.random.default_rng((_LIDS_SEED, index))
                picture = np.ascontiguousarray(images[index].permute(1, 2, 0).numpy())
                affine = similarity_transform(record.landmarks, SIZE, DEFAULT_TEMPLATE)
                scale = 1.0 / float(np.hypot(affine[0, 0], affine[1, 0]))
                drawn = draw_lids(picture, eyes, draw_closures(rng, 0.0, *_LIDS), rng, scale)
                images[index] = torch.from_numpy(drawn).permute(2, 0, 1)
        return images.to(self.device)

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


def _moved(
    poses: Sequence[tuple[float, float] | None],
    places: Sequence[tuple[int, int]],
    crop: int,
    device: torch.device,
) -> Tensor | None:
    """Return by how many pixels x and y of a window are moved by turning the heads.

    Returns:
        (B, 2, crop, crop), or None if no head is turned.

    """
    if all(pose is None for pose in poses):
        return None
    straight = turned_grid(0.0, 0.0, _POSE_STEP)
    coarse = np.stack(
        [
            np.zeros_like(straight) if p is None else turned_grid(*p, _POSE_STEP) - straight
            for p in poses
        ]
    )
    field = torch.from_numpy(coarse).to(device, torch.float32).permute(0, 3, 1, 2)
    whole = F.interpolate(field, size=SIZE + 1, mode='bicubic', align_corners=True)
    return torch.stack([w[:, y : y + crop, x : x + crop] for w, (x, y) in zip(whole, places)])


def _sample(
    images: Tensor, inverse: NDArray[np.float64], crop: int, moved: Tensor | None = None
) -> Tensor:
    """Sample images bilinearly.

    Args:
        images: (B, 3, S, S).
        inverse: (B, 2, 3) affine maps of window to image pixels.
        crop: Side of the windows.
        moved: (B, 2, crop, crop) what is added to the windows' pixels before, or None.

    """
    side = images.shape[-1]
    axis = torch.arange(crop, device=images.device, dtype=torch.float32)
    matrix = torch.from_numpy(inverse).to(images.device, torch.float32)
    across, down = axis.expand(1, crop, crop), axis[:, None].expand(1, crop, crop)
    if moved is not None:
        across, down = across + moved[:, 0], down + moved[:, 1]
    x = matrix[:, 0, 0, None, None] * across + matrix[:, 0, 1, None, None] * down
    y = matrix[:, 1, 0, None, None] * across + matrix[:, 1, 1, None, None] * down
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
