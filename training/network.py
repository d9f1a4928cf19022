"""CFRNet: a small residual encoder-decoder that restores one 256x256 face a cycle.

Only operators that NPU compilers map onto their multiply-accumulate arrays:
convolution, ReLU, addition, nearest upsampling and a final clip. There is no
normalisation, so nothing has to be folded for inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class NetworkConfig:
    """Layout of CFRNet.

    Attributes:
        widths: channels at strides 1, 2, 4 and 8.
        blocks_s2: residual blocks at stride 2, on either side.
        blocks_s4: residual blocks at stride 4, on either side.
        body_blocks: residual blocks at stride 8.

    """

    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    blocks_s2: int = 1
    blocks_s4: int = 2
    body_blocks: int = 5


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity shortcut (He et al., CVPR 2016), no normalisation."""

    def __init__(self, channels: int) -> None:
        """Make a block that keeps the number of channels."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        # PyTorch's default initialisation, not He's: its smaller weights keep the
        # first activations small. With He's the network sat at the identity for
        # thousands of steps. Without normalisation the branch must start smaller
        # still, or the sum grows with depth (Wang et al., ESRGAN, 2018, section 3.1).
        with torch.no_grad():
            self.conv2.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        return x + cast(Tensor, self.conv2(F.relu(self.conv1(x))))


def _stage(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))


class CFRNet(nn.Module):
    """One restoration cycle: RGB face in, restored RGB face out, both 0..1.

    The network predicts a correction that is added to its input, so that doing
    nothing (what a restored face needs) is its easiest answer.
    """

    def __init__(self, config: NetworkConfig | None = None) -> None:
        """Build the layers from a layout; the default has 2.0 M parameters."""
        super().__init__()
        self.config = config or NetworkConfig()
        c1, c2, c4, c8 = self.config.widths
        self.stem = nn.Conv2d(3, c1, 3, padding=1)
        self.down2 = nn.Conv2d(c1, c2, 3, stride=2, padding=1)
        self.encode2 = _stage(c2, self.config.blocks_s2)
        self.down4 = nn.Conv2d(c2, c4, 3, stride=2, padding=1)
        self.encode4 = _stage(c4, self.config.blocks_s4)
        self.down8 = nn.Conv2d(c4, c8, 3, stride=2, padding=1)
        self.body = _stage(c8, self.config.body_blocks)
        # Channels are halved before the upsampling, not after it: a quarter of
        # the multiplications, and the blocks that follow smooth the result.
        self.up4 = nn.Conv2d(c8, c4, 3, padding=1)
        self.decode4 = _stage(c4, self.config.blocks_s4)
        self.up2 = nn.Conv2d(c4, c2, 3, padding=1)
        self.decode2 = _stage(c2, self.config.blocks_s2)
        self.up1 = nn.Conv2d(c2, c1, 3, padding=1)
        self.refine = nn.Conv2d(c1, c1, 3, padding=1)
        self.head = nn.Conv2d(c1, 3, 3, padding=1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            assert self.head.bias is not None
            self.head.bias.zero_()

    def correction(self, x: Tensor) -> Tensor:
        """Return what one cycle adds to its (B, 3, H, W) input; H and W multiples of 8."""
        s1 = F.relu(self.stem(x))
        s2 = self.encode2(F.relu(self.down2(s1)))
        s4 = self.encode4(F.relu(self.down4(s2)))
        s8 = self.body(F.relu(self.down8(s4)))
        up4 = F.interpolate(F.relu(self.up4(s8)), scale_factor=2.0, mode='nearest')
        d4 = self.decode4(up4 + s4)
        up2 = F.interpolate(F.relu(self.up2(d4)), scale_factor=2.0, mode='nearest')
        d2 = self.decode2(up2 + s2)
        up1 = F.interpolate(F.relu(self.up1(d2)), scale_factor=2.0, mode='nearest')
        return cast(Tensor, self.head(F.relu(self.refine(up1 + s1))))

    def forward(self, x: Tensor, *, clip: bool = True) -> Tensor:
        """Apply one cycle.

        Args:
            x: (B, 3, H, W) float RGB in 0..1; H and W multiples of 8.
            clip: limit the result to 0..1. Training leaves it open, because a
                clipped value has no gradient.

        Returns:
            (B, 3, H, W) float32 restored RGB.

        """
        restored = x.float() + self.correction(x).float()
        return restored.clamp(0.0, 1.0) if clip else restored


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable scalars."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def count_macs(network: nn.Module, size: int = 256) -> int:
    """Count the multiply-accumulate operations of one cycle on a size x size face."""
    total = 0

    def hook(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += module.weight.numel() * output.shape[-1] * output.shape[-2]

    handles = [m.register_forward_hook(hook) for m in network.modules() if isinstance(m, nn.Conv2d)]
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, size, size))
    finally:
        for handle in handles:
            handle.remove()
    return total
