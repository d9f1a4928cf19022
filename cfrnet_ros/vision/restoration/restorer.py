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

"""The restorer: one ONNX session that is applied k times to its own output."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cfrnet_ros.vision.engine.cpu_graph import for_cpu
from cfrnet_ros.vision.engine.model_card import ModelCard, load_card
from cfrnet_ros.vision.engine.model_resize import resized_model
from cfrnet_ros.vision.engine.provider_records import CPU
from cfrnet_ros.vision.engine.providers import ProviderChoice
from cfrnet_ros.vision.engine.sessions import EngineSession, create_session, run_options
from cfrnet_ros.vision.errors import ModelError, reason_of
from cfrnet_ros.vision.preprocessing.colour_noise import prepare_face
from cfrnet_ros.vision.restoration.grey import is_grey, take_colour_away
from cfrnet_ros.vision.restoration.model_pixels import ModelPixels
from cfrnet_ros.vision.types import MAX_CYCLES, Restoration


@dataclass(frozen=True)
class Cycle:
    """One application of the network.

    Attributes:
        number: Number of the cycle in its sequence, from 1.
        start_s: Start of the application in seconds, by `time.perf_counter`.
        milliseconds: Duration of the application.
        residual: Mean absolute change of the image as a fraction of the value range, 0..1.
        crop: Function that returns a copy of the cycle's output, (N, N, 3) uint8 BGR. It may be
            called only until the next cycle begins, which reuses the buffer.

    """

    number: int
    start_s: float
    milliseconds: float
    residual: float
    crop: Callable[[], NDArray[np.uint8]]


class Restorer:
    """A face restorer on ONNX Runtime.

    The class is not thread-safe, except for `interrupt`: every call reuses its buffers. `clone`
    gives a restorer for another thread.

    Attributes:
        card: Card of the model, with the format of its input and output.
        engine: Session, with the requested and the used provider.
        resized: Whether the model runs at another size than its file's.

    """

    card: ModelCard
    engine: EngineSession
    resized: bool

    def __init__(
        self, model: str | Path, choice: ProviderChoice, threads: int = 0, size: int = 0
    ) -> None:
        """Load a model.

        Args:
            model: Path of an ONNX file, as `models.resolve_model` returns it.
            choice: Execution providers, as `providers.choose_providers` returns them.
            threads: Number of CPU threads, 0 for ONNX Runtime's own choice.
            size: Side of the crops in pixels, 0 for the model's own; another size is reached by
                `model_resize.resized_model`.

        Raises:
            ModelError: The file or its card is missing, damaged or not a restorer, or the model
                cannot be run at that size.
            ProviderError: No provider of the choice could run the model.

        """
        self.card = load_card(model)
        source: Path | bytes = Path(model)
        self.resized = size not in (0, self.card.size)
        if self.resized:
            source = resized_model(model, size, self.card.layout)
            self.card = replace(self.card, size=size)
        if choice.remaining and choice.remaining[0] == CPU:
            source = for_cpu(source) or source
        self.engine = create_session(source, choice, threads)
        self._take_buffers()
        self._input = self.engine.session.get_inputs()[0].name
        self._output = self._find_output()

    def _take_buffers(self) -> None:
        """Create everything that a call changes."""
        self._pixels = ModelPixels(self.card)
        self._shape, self._dtype = self._pixels.shape, self._pixels.dtype
        # The network reads one buffer and writes the other, then they are exchanged.
        self._buffers = [np.zeros(self._shape, self._dtype) for _ in range(2)]
        self._binding = self.engine.session.io_binding()
        self._run_options = run_options()

    def clone(self) -> Restorer:
        """Return a restorer of the same model for another thread.

        It shares the session, whose `run` several threads may call at once, and has buffers of its
        own. `interrupt` of one does not affect the other.
        """
        other = copy.copy(self)
        other._take_buffers()
        return other

    def warm_up(self) -> None:
        """Run the model once, so that the first frame does not wait for kernels and memory.

        Raises:
            ModelError: The model does not run, or its output is not an image of the size of its
                input.

        """
        size = self.card.size
        self.restore(np.full((size, size, 3), 127, np.uint8), 1)

    def interrupt(self) -> None:
        """End a running cycle before its next operator, and refuse further cycles.

        Any thread may call it. The interrupted call raises `ModelError`. An operator that hangs in
        the driver of a device is not ended.
        """
        self._run_options.terminate = True

    def restore(self, crop: NDArray[np.uint8], cycles: int, tolerance: float = 0.0) -> Restoration:
        """Restore one aligned crop.

        Args:
            crop: (N, N, 3) uint8 BGR crop, where N is the card's size.
            cycles: Largest number of cycles, 1..8; a model that is not iterative is applied once.
            tolerance: Residual, 0..1, below which no further cycle is applied; 0 for no such limit.

        Returns:
            Restored crop, with the number of cycles and the time and residual of each. If the
            card demands it (`expose`), the crop is prepared first, and the first residual is
            relative to the prepared crop, see `prepared`. A crop without colour stays without
            colour in every cycle.

        Raises:
            ValueError: The crop or the number of cycles is not as described above.
            ModelError: The model failed, or its output has NaN or infinite values.

        """
        if not 1 <= cycles <= MAX_CYCLES:
            raise ValueError(f'cycles must be from 1 to {MAX_CYCLES}, got {cycles}')
        used = cycles if self.card.iterative else 1
        starts: list[float] = []
        times: list[float] = []
        residuals: list[float] = []
        for cycle in self.cycles(crop):
            starts.append(cycle.start_s)
            times.append(cycle.milliseconds)
            residuals.append(cycle.residual)
            # After a residual below the tolerance, further cycles would change even less.
            if cycle.number == used or cycle.residual < tolerance:
                break
        return Restoration(cycle.crop(), len(times), tuple(times), tuple(residuals), tuple(starts))

    def prepared(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a crop as the network gets it.

        Where the card demands it (`expose`), an underexposed crop is brightened, and a very dark
        one's colours are smoothed.

        Args:
            crop: (N, N, 3) uint8 BGR crop.

        Returns:
            (N, N, 3) uint8 BGR crop; the crop itself if it is well exposed.

        """
        return prepare_face(crop) if self.card.expose else crop

    def cycles(self, crop: NDArray[np.uint8]) -> Iterator[Cycle]:
        """Apply the network to one aligned crop repeatedly, without end.

        A cycle is computed when it is requested. The network's own output is fed back, not the
        picture that is rounded from it. If the card demands it (`expose`), the crop is prepared
        first, and the first residual is relative to the prepared crop, see `prepared`. A crop
        without colour stays without colour in every cycle.

        Args:
            crop: (N, N, 3) uint8 BGR crop, where N is the card's size.

        Yields:
            Cycles in order.

        Raises:
            ValueError: The crop has another shape or dtype.
            ModelError: The model failed, or its output has NaN or infinite values.

        """
        size = self.card.size
        if crop.shape != (size, size, 3) or crop.dtype != np.uint8:
            raise ValueError(
                f'the crop must be ({size}, {size}, 3) uint8, got {crop.shape} {crop.dtype}'
            )
        source, target = self._buffers
        # An underexposed face uses a few of the 256 levels. Brightened before it reaches the
        # network, it is an ordinary noisy face, also for 8-bit activations. Its colours have more
        # noise than the network can tell from colour.
        self._pixels.write(self.prepared(crop), source)
        grey = is_grey(crop)
        for number in itertools.count(1):
            start = time.perf_counter()
            self._run(source, target)
            if grey:
                take_colour_away(target[0], self.card.channel_axis)
            residual = self._residual(source, target)
            milliseconds = (time.perf_counter() - start) * 1e3
            if not np.isfinite(residual):
                raise ModelError(
                    f"'{self.card.file}' returned NaN or infinite values in cycle {number} on "
                    f'{self.engine.used}; use another provider or precision, or fewer cycles'
                )
            yield Cycle(number, start, milliseconds, residual, partial(self._pixels.read, target))
            source, target = target, source

    def _find_output(self) -> str:
        """Return the name of the first output that can be an image like the input."""
        outputs = self.engine.session.get_outputs()
        wanted = 'tensor(float)' if self.card.dtype == 'float32' else 'tensor(uint8)'
        for output in outputs:
            sides = list(output.shape)
            fits = len(sides) == 4 and all(
                not isinstance(side, int) or side <= 0 or side == expected
                for side, expected in zip(sides, self._shape, strict=True)
            )
            if fits and output.type == wanted:
                return str(output.name)
        found = ', '.join(f'{output.name} {output.type} {output.shape}' for output in outputs)
        raise ModelError(
            f"'{self.card.file}' has no output of the shape of its input "
            f'({self.card.dtype} {self._shape}), but: {found}; name a restorer that keeps the size'
        )

    def _run(self, source: NDArray[np.generic], target: NDArray[np.generic]) -> None:
        binding = self._binding
        try:
            # Bound again each time, because a device provider copies the input when it is bound.
            # On the CPU binding copies nothing.
            binding.bind_input(
                self._input, 'cpu', 0, self._dtype.type, self._shape, source.ctypes.data
            )
            binding.bind_output(
                self._output, 'cpu', 0, self._dtype.type, self._shape, target.ctypes.data
            )
            self.engine.session.run_with_iobinding(binding, self._run_options)
        except Exception as error:
            raise ModelError(
                f"'{self.card.file}' failed on {self.engine.used}: {reason_of(error)}; try another "
                'provider, or export the model with a static input and output shape'
            ) from error

    def _residual(self, source: NDArray[np.generic], target: NDArray[np.generic]) -> float:
        """Return the mean absolute change, 0..1 of the value range; not finite if target is not."""
        low, high = self.card.value_range
        flat = [np.asarray(part, self._dtype).reshape(-1) for part in (target, source)]
        # Bytes are subtracted and summed as integers.
        total = cv2.norm(flat[0], flat[1], cv2.NORM_L1)
        return float(total) / source.size / abs(high - low)
