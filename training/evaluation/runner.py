"""Restoring a crop as the node does, keeping what every cycle gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.engine.model_card import load_card
from cfrnet_ros.vision.engine.providers import choose_providers, create_session
from cfrnet_ros.vision.restoration.exposure import expose_face
from cfrnet_ros.vision.restoration.grey import is_grey, take_colour_away
from training.data import SIZE


class CycleRunner:
    """A shipped ONNX file on the CPU.

    `cfrnet_ros.vision.restoration.restorer.Restorer` keeps the last cycle only and stops at eight;
    a test shows that the two agree bit for bit.

    Attributes:
        card: what the model takes and gives.

    """

    def __init__(self, model: Path, threads: int = 1) -> None:
        """Load a model.

        Args:
            model: path of the ONNX file, its card beside it.
            threads: CPU threads.

        Raises:
            ModelError: the file or its card is missing, damaged or not a restorer.
            ValueError: the model is not one that is applied again and again to 256 px.

        """
        self.card = load_card(model)
        if not self.card.iterative or self.card.size != SIZE:
            raise ValueError(
                f"'{model}' cannot be measured for k = 1, 2...: it must be iterative and of "
                f'{SIZE} px, its card says iterative {self.card.iterative}, {self.card.size} px'
            )
        self._session = create_session(model, choose_providers('cpu'), threads).session
        self._input = self._session.get_inputs()[0].name

    def start(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what enters the first cycle: the crop, brightened if the card asks for it."""
        return expose_face(crop) if self.card.expose else crop

    def __call__(
        self, crop: NDArray[np.uint8], cycles: int
    ) -> tuple[list[NDArray[np.uint8]], list[float]]:
        """Restore one crop.

        Args:
            crop: (256, 256, 3) uint8 BGR.
            cycles: applications.

        Returns:
            The (256, 256, 3) uint8 BGR output of each cycle, and each cycle's mean absolute
            change as a fraction of the value range. What is fed back is the network's own
            output, not the rounded picture of it.

        """
        low, high = self.card.value_range
        current = self._to_network(self.start(crop))
        pictures, residuals = [], []
        grey = is_grey(crop)
        for _ in range(cycles):
            following = np.asarray(self._session.run(None, {self._input: current})[0])
            if grey:
                take_colour_away(following[0], self.card.channel_axis)
            change = np.abs(following.astype(np.float32) - current.astype(np.float32))
            residuals.append(float(change.mean(dtype=np.float64)) / abs(high - low))
            pictures.append(self._to_picture(following))
            current = following
        return pictures, residuals

    def _to_network(self, crop: NDArray[np.uint8]) -> NDArray[np.generic]:
        low, high = self.card.value_range
        image = crop[..., ::-1] if self.card.colour == 'RGB' else crop
        values = image.astype(np.float32) * np.float32((high - low) / 255.0) + np.float32(low)
        if self.card.dtype == 'uint8':
            values = np.clip(np.rint(values), 0, 255)
        batch = (values.transpose(2, 0, 1) if self.card.channels_first else values)[None]
        return np.ascontiguousarray(batch, dtype=np.dtype(self.card.dtype))

    def _to_picture(self, output: NDArray[np.generic]) -> NDArray[np.uint8]:
        low, high = self.card.value_range
        image = output[0].transpose(1, 2, 0) if self.card.channels_first else output[0]
        values = (image.astype(np.float32) - np.float32(low)) * np.float32(255.0 / (high - low))
        picture = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(picture[..., ::-1] if self.card.colour == 'RGB' else picture)
