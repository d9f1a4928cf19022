"""One run in several processes, a CPU core or a GPU each, started by ``torchrun``.

Each process draws its own batch; the gradients are averaged before every step, so that all
hold the same weights (synchronous data parallelism). On two cores of the machine that the
shipped weights come from this gave more than two threads in one process, which gave nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import distributed, nn


@dataclass(frozen=True)
class Processes:
    """Which of a run's processes this is.

    Attributes:
        rank: number of this process, from 0; the first one writes checkpoints and logs.
        count: of processes.

    """

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls, device: str) -> Processes:
        """Meet the other processes, if ``torchrun`` started this one.

        Args:
            device: on which the run computes.

        Returns:
            This process among them; one of one if it was started without ``torchrun``.

        """
        if int(os.environ.get('WORLD_SIZE', '1')) == 1:
            return cls()
        distributed.init_process_group('nccl' if device.startswith('cuda') else 'gloo')
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

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

    def leave(self) -> None:
        """Part from the others."""
        if self.count > 1:
            distributed.destroy_process_group()


def device_of(device: str) -> str:
    """Return this process's own device: of several GPUs, each process has one."""
    local = os.environ.get('LOCAL_RANK', '')
    return f'cuda:{local}' if device == 'cuda' and local else device
