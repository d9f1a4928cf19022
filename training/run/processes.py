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

"""One run in several processes, a CPU core or a GPU each.

Each process draws its own batch; the gradients are averaged before every step, so that all
hold the same weights (synchronous data parallelism). On two cores of the machine that the
shipped weights come from this saw 1.7 times the faces, where a second thread gave nothing.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import distributed, multiprocessing, nn


@dataclass(frozen=True)
class Processes:
    """Which of a run's processes this is.

    Attributes:
        rank: Number of this process, from 0; the first one writes checkpoints and logs.
        count: Number of processes.

    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def share_threads(self) -> None:
        """Give each of several processes its share of PyTorch's threads.

        Each would take all cores, and they would wait for each other.
        """
        if self.count > 1:
            torch.set_num_threads(max(1, torch.get_num_threads() // self.count))

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace the gradients by their means over the processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        # One message: a hundred small ones take longer than what they carry.
        together = torch.cat([g.flatten() for g in gradients])
        distributed.all_reduce(together)
        together /= self.count
        parts = together.split([g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def agree(self, value: float, device: torch.device) -> float:
        """Return the first process's value, in all of them."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        distributed.broadcast(shared, 0)
        return float(shared)


def run_in_processes(count: int, device: str, work: Callable[[Processes, str], None]) -> None:
    """Do the work of a run in so many processes, or here if it is one.

    Args:
        count: Number of processes.
        device: 'cpu', or 'cuda', of which process i takes 'cuda:i'.
        work: Function that is called with which of the processes it is, and its device; can be
            pickled.

    Raises:
        ValueError: The count is below 1, or above the number of GPUs.

    """
    if count < 1:
        raise ValueError(f'a run needs at least one process, not {count}')
    if count == 1:
        work(Processes(), device)
        return
    if device.startswith('cuda') and count > torch.cuda.device_count():
        raise ValueError(
            f'{count} processes need a GPU each, and there are {torch.cuda.device_count()}; '
            'give --processes that many at most'
        )
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_member, (count, device, Path(folder) / 'meeting', work), count)


def _member(
    rank: int, count: int, device: str, meeting: Path, work: Callable[[Processes, str], None]
) -> None:
    # PyTorch has the kernel send SIGINT when the parent dies. A shell starts what is to run in
    # the background with that ignored: then the members of a killed run went on for minutes
    # and wrote over the checkpoints of the next one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    cuda = device.startswith('cuda')
    distributed.init_process_group(
        'nccl' if cuda else 'gloo', f'file://{meeting}', world_size=count, rank=rank
    )
    try:
        work(Processes(rank, count), f'cuda:{rank}' if cuda else device)
    finally:
        distributed.destroy_process_group()
