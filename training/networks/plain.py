"""The plain CNN: a chain of convolutions without a skip of any kind."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.networks.parts import Restorer, conv_relu


class PlainCNN(Restorer):
    """VGG-like: convolution and ReLU, strided convolutions down, nearest upsampling up.

    One operator after another and never two tensors alive at once: the easiest graph
    there is to deploy. It has to carry the face itself through its narrowest place, so
    that is stride 4 with 128 channels, against the 48 values of a 4x4 patch.
    """

    stages = ('entry', 'body', 'exit2', 'exit1')
    divisor = 4

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.entry = nn.Sequential(
            conv_relu(3, 32), conv_relu(32, 64, stride=2), conv_relu(64, 128, stride=2)
        )
        self.body = nn.Sequential(*(conv_relu(128, 128) for _ in range(12)))
        self.exit2 = nn.Sequential(
            nn.Upsample(scale_factor=2.0, mode='nearest'), conv_relu(128, 64), conv_relu(64, 64)
        )
        self.exit1 = nn.Sequential(
            nn.Upsample(scale_factor=2.0, mode='nearest'), conv_relu(64, 32), conv_relu(32, 32)
        )
        self.head = nn.Conv2d(32, 3, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _initialise(module)

    def unclipped(self, x: Tensor) -> Tensor:
        """Return the restored face; H and W multiples of 4."""
        return self.head(self.exit1(self.exit2(self.body(self.entry(x))))).float()


def _initialise(convolution: nn.Conv2d) -> None:
    """Begin with a network that hands its input on.

    Without skips the face itself has to come through 20 convolutions. Where the channels
    stay the same the kernel is the identity (what is not negative passes a ReLU unchanged)
    plus a little of PyTorch's default noise, elsewhere orthogonal with He's gain. After 120
    steps of the whole loss that gave 19.9 dB on the training windows, orthogonal kernels
    throughout 14.4 dB, delta-orthogonal ones (Xiao et al., ICML 2018) 16.1 dB and PyTorch's
    default 15.6 dB.
    """
    assert convolution.bias is not None
    keeps = convolution.in_channels == convolution.out_channels and convolution.stride == (1, 1)
    with torch.no_grad():
        convolution.bias.zero_()
        if keeps:
            centre = convolution.kernel_size[0] // 2
            convolution.weight.mul_(0.3)
            convolution.weight[:, :, centre, centre] += torch.eye(convolution.in_channels)
        else:
            nn.init.orthogonal_(convolution.weight, gain=2.0**0.5)
