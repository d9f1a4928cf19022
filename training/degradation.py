"""Seeded, differentiable degradations of aligned faces.

A `Degradation` is a frozen plan: the same plan applied twice does the same,
noise included. That is what the re-degradation loss needs, and it makes the
test set reproducible. All operators work on (1, 3, H, W) float RGB in 0..1 on
any device and let gradients through (rounding by the straight-through
estimator).

Sources of the ranges: the order-shuffled blur / down-sampling / noise / JPEG
set follows HiFaceGAN (Yang et al., ACM MM 2020) and GFPGAN (Wang et al., CVPR
2021: blur sigma 0.1..10 and down-sampling 0.8..8 at 512 px, halved here for
256 px; noise sigma 0..15/255; JPEG quality 60..100), widened towards cheap
cameras (noise to 30/255, quality down to 15). The car set (low light with
shot and read noise, grey infrared, motion blur, glare) uses the photon model of
Foi et al., "Practical Poissonian-Gaussian noise modeling", TIP 2008.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Operator = Callable[[Tensor], Tensor]

# Annex K of ITU-T T.81 (JPEG): the example luminance and chrominance tables.
_LUMA = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)
_CHROMA = torch.full((8, 8), 99.0)
_CHROMA[:4, :4] = torch.tensor(
    [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]],
    dtype=torch.float32,
)


def _dct_matrix() -> Tensor:
    k = torch.arange(8, dtype=torch.float64)
    basis = torch.cos((2 * k[None, :] + 1) * k[:, None] * math.pi / 16) * 0.5
    basis[0] /= math.sqrt(2.0)
    return basis.float()


_DCT = _dct_matrix()


def _round_through(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


def _quantise_blocks(plane: Tensor, table: Tensor) -> Tensor:
    """Quantise the 8x8 cosine coefficients of (1, C, H, W) planes, values in 0..255."""
    _, channels, height, width = plane.shape
    pad_h, pad_w = -height % 8, -width % 8
    padded = F.pad(plane, (0, pad_w, 0, pad_h), mode='replicate') - 128.0
    blocks = padded.reshape(channels, (height + pad_h) // 8, 8, (width + pad_w) // 8, 8)
    blocks = blocks.permute(0, 1, 3, 2, 4)
    dct = _DCT.to(plane)
    table = table.to(plane)
    coefficients = _round_through(dct @ blocks @ dct.T / table) * table
    blocks = dct.T @ coefficients @ dct
    padded = blocks.permute(0, 1, 3, 2, 4).reshape(1, channels, height + pad_h, width + pad_w)
    return padded[:, :, :height, :width] + 128.0


def jpeg(image: Tensor, quality: int) -> Tensor:
    """Compress as baseline JPEG with 4:2:0 chroma would.

    Args:
        image: (1, 3, H, W) RGB in 0..1.
        quality: 1..100, scaled as in libjpeg's ``jpeg_set_quality``.

    Returns:
        The decoded image, same shape and range.

    """
    scale = 5000.0 / quality if quality < 50 else 200.0 - 2.0 * quality
    luma = ((_LUMA * scale + 50.0) / 100.0).floor().clamp(1.0, 255.0)
    chroma = ((_CHROMA * scale + 50.0) / 100.0).floor().clamp(1.0, 255.0)
    r, g, b = (image.clamp(0.0, 1.0) * 255.0).unbind(dim=1)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    cb = (b - y) / 1.772 + 128.0
    cr = (r - y) / 1.402 + 128.0
    size = image.shape[-2:]
    colour = F.avg_pool2d(torch.stack([cb, cr], dim=1), 2, ceil_mode=True)
    y = _quantise_blocks(y[:, None], luma)[:, 0]
    colour = _quantise_blocks(colour, chroma)
    cb, cr = (
        F.interpolate(colour, size=size, mode='bilinear', align_corners=False) - 128.0
    ).unbind(dim=1)
    rgb = torch.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], dim=1)
    return (_round_through(rgb.clamp(0.0, 255.0)) / 255.0).clamp(0.0, 1.0)


def gaussian_kernel(sigma_x: float, sigma_y: float, angle: float) -> NDArray[np.float32]:
    """Return an anisotropic Gaussian kernel; sigmas in pixels, angle in radians, sum 1."""
    radius = max(1, math.ceil(3.0 * max(sigma_x, sigma_y)))
    grid = np.arange(-radius, radius + 1, dtype=np.float64)
    x, y = np.meshgrid(grid, grid)
    u = np.cos(angle) * x + np.sin(angle) * y
    v = -np.sin(angle) * x + np.cos(angle) * y
    kernel = np.exp(-0.5 * ((u / sigma_x) ** 2 + (v / sigma_y) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)


def motion_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """Return the kernel of a straight motion; length in pixels, angle in radians, sum 1."""
    radius = max(1, math.ceil(length / 2.0))
    grid = np.arange(-radius, radius + 1, dtype=np.float64)
    x, y = np.meshgrid(grid, grid)
    along = np.abs(np.cos(angle) * x + np.sin(angle) * y)
    across = np.abs(-np.sin(angle) * x + np.cos(angle) * y)
    kernel = np.clip(length / 2.0 + 0.5 - along, 0, 1) * np.clip(1.0 - across, 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def convolve(image: Tensor, kernel: NDArray[np.float32]) -> Tensor:
    """Convolve every channel of (1, C, H, W) with one odd-sized kernel, borders mirrored."""
    channels = image.shape[1]
    weight = torch.from_numpy(kernel).to(image)
    radius = kernel.shape[0] // 2
    padded = F.pad(image, (radius, radius, radius, radius), mode='reflect')
    if kernel.shape[0] > 9:
        # The kernels reach 30 px a side: a product of spectra is several times
        # cheaper there than a direct convolution.
        height, width = padded.shape[-2:]
        spectrum = torch.fft.rfft2(padded.float())
        response = torch.fft.rfft2(weight.float(), s=(height, width))
        full = torch.fft.irfft2(spectrum * response.conj(), s=(height, width))
        return full[..., : image.shape[-2], : image.shape[-1]].to(image)
    weight = weight.expand(channels, 1, *kernel.shape)
    return F.conv2d(padded, weight, groups=channels)


def at_lower_resolution(
    image: Tensor, factor: float, down: str, up: str, inner: Sequence[Operator] = ()
) -> Tensor:
    """Shrink (1, C, H, W) by a factor, apply operators there, and bring it back to size.

    A camera adds its noise and a codec its blocks at the resolution of the
    sensor; the aligner then enlarges both together with the face.
    """
    height, width = image.shape[-2:]
    small = (max(16, round(height / factor)), max(16, round(width / factor)))
    # PyTorch's adaptive average pooling is what cv2 calls INTER_AREA.
    if down == 'area':
        low = F.interpolate(image, size=small, mode='area')
    else:
        low = F.interpolate(image, size=small, mode=down, align_corners=False, antialias=True)
    low = low.clamp(0.0, 1.0)
    for step in inner:
        low = step(low)
    back = F.interpolate(low, size=(height, width), mode=up, align_corners=False)
    return back.clamp(0.0, 1.0)


def mosaic(image: Tensor, factor: int) -> Tensor:
    """Replace every factor x factor block by its mean, as a pixelated face."""
    low = F.avg_pool2d(image, factor)
    return F.interpolate(low, scale_factor=float(factor), mode='nearest')


def sensor_noise(image: Tensor, gain: float, shot: float, read: float, seed: int) -> Tensor:
    """Darken in linear light and add shot and read noise, then encode again.

    Args:
        image: (1, 3, H, W) RGB in 0..1, gamma encoded.
        gain: share (0..1] of the light that is left.
        shot: variance a unit of linear signal (photon noise).
        read: standard deviation of the linear read noise.
        seed: of the noise's realisation.

    Returns:
        The same shape and range.

    """
    linear = image.clamp(1e-4, 1.0).pow(2.2) * gain
    noise = _normal(image.shape, seed, image)
    # The noise keeps its strength while gradients pass through the signal.
    deviation = (shot * linear.detach() + read * read).sqrt()
    return (linear + deviation * noise).clamp(1e-4, 1.0).pow(1.0 / 2.2)


def _normal(shape: Sequence[int], seed: int, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tuple(shape), generator=generator).to(like)


def grey(image: Tensor, weights: tuple[float, float, float]) -> Tensor:
    """Mix the channels by weights and repeat the result three times."""
    mix = torch.tensor(weights).to(image).view(1, 3, 1, 1)
    return (image * mix).sum(dim=1, keepdim=True).expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class Degradation:
    """One reproducible way in which a camera spoils a face.

    Attributes:
        steps: operators in the order in which they are applied.
        target: what happens to the truth as well. Infrared has no colour to
            bring back, so its truth is grey too: colour must not be invented.
        names: the operators' names, for sheets and logs.

    """

    steps: tuple[Operator, ...]
    target: Operator | None = None
    names: tuple[str, ...] = field(default=())

    def __call__(self, image: Tensor) -> Tensor:
        """Degrade (1, 3, H, W) RGB in 0..1; same shape and range."""
        for step in self.steps:
            image = step(image)
        return image.clamp(0.0, 1.0)

    def truth(self, image: Tensor) -> Tensor:
        """Return what a perfect restoration of the degraded image would be."""
        return image if self.target is None else self.target(image)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def _blur(rng: np.random.Generator) -> Operator:
    sigma = _log_uniform(rng, 0.4, 4.0)
    ratio = _log_uniform(rng, 1.0, 2.0) if rng.random() < 0.5 else 1.0
    kernel = gaussian_kernel(sigma * ratio**0.5, sigma / ratio**0.5, rng.uniform(0, math.pi))
    return lambda x: convolve(x, kernel)


def _motion(rng: np.random.Generator) -> Operator:
    kernel = motion_kernel(rng.uniform(3.0, 17.0), rng.uniform(0, math.pi))
    return lambda x: convolve(x, kernel)


def _shrink(rng: np.random.Generator, inner: Sequence[Operator] = ()) -> Operator:
    factor = _log_uniform(rng, 1.0, 6.0)
    down = str(rng.choice(['area', 'bilinear', 'bicubic']))
    # The aligner samples bilinearly.
    up = str(rng.choice(['bilinear', 'bicubic']))
    steps = tuple(inner)
    return lambda x: at_lower_resolution(x, factor, down, up, steps)


def _noise(rng: np.random.Generator) -> Operator:
    sigma = rng.uniform(1.0, 30.0) / 255.0
    seed = int(rng.integers(2**31))
    # Half of all noise has been through an in-camera resize and is correlated.
    correlated = rng.random() < 0.3
    colourless = rng.random() < 0.3

    def add(x: Tensor) -> Tensor:
        noise = _normal(x.shape, seed, x)
        if colourless:
            noise = noise[:, :1].expand_as(noise)
        if correlated:
            noise = convolve(noise, gaussian_kernel(0.7, 0.7, 0.0)) * 2.0
        return (x + sigma * noise).clamp(0.0, 1.0)

    return add


def _jpeg(rng: np.random.Generator) -> Operator:
    quality = int(rng.integers(15, 91))
    return lambda x: jpeg(x, quality)


def _low_light(rng: np.random.Generator) -> Operator:
    gain = _log_uniform(rng, 0.06, 0.5)
    shot = _log_uniform(rng, 1e-4, 3e-3)
    read = _log_uniform(rng, 3e-4, 6e-3)
    seed = int(rng.integers(2**31))
    return lambda x: sensor_noise(x, gain, shot, read, seed)


def _glare(rng: np.random.Generator) -> Operator:
    """Veil the face with light scattered by a windscreen: a broad additive blob."""
    cx, cy = rng.uniform(-0.2, 1.2, 2)
    radius = rng.uniform(0.3, 0.9)
    strength = rng.uniform(0.1, 0.45)
    veil = rng.uniform(0.0, 0.15)

    def add(x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        ys = torch.linspace(0, 1, height, device=x.device, dtype=x.dtype).view(-1, 1)
        xs = torch.linspace(0, 1, width, device=x.device, dtype=x.dtype).view(1, -1)
        blob = torch.exp(-((xs - cx) ** 2 + (ys - cy) ** 2) / (2 * radius**2))
        # Screen blending: light adds, but a bright pixel cannot pass white.
        light = (veil + strength * blob).clamp(max=0.7)
        return 1.0 - (1.0 - x) * (1.0 - light)

    return add


def sample_general(rng: np.random.Generator) -> Degradation:
    """Draw blur, down-sampling, noise and JPEG in random order and strength."""
    chosen: list[tuple[str, Operator]] = []
    for name, make, share in (
        ('blur', _blur, 0.7),
        ('down', _shrink, 0.7),
        ('noise', _noise, 0.7),
        ('jpeg', _jpeg, 0.8),
    ):
        if rng.random() < share:
            chosen.append((name, make(rng)))
    if not chosen:
        chosen = [('down', _shrink(rng)), ('jpeg', _jpeg(rng))]
    chosen = [chosen[i] for i in rng.permutation(len(chosen))]
    names = [name for name, _ in chosen]
    if 'down' in names and rng.random() < 0.5:
        # Whatever comes after the down-sampling happens at the low resolution.
        place = names.index('down')
        inner = [step for _, step in chosen[place + 1 :]]
        chosen = [*chosen[:place], ('down', _shrink(rng, inner))]
    return Degradation(steps=tuple(step for _, step in chosen), names=tuple(names))


def sample_car(rng: np.random.Generator) -> Degradation:
    """Draw what a driver camera adds: optics, motion, light, sensor and compression, in order."""
    steps: list[tuple[str, Operator]] = []
    target: Operator | None = None
    if rng.random() < 0.4:
        weights = rng.dirichlet((6.0, 3.0, 2.0))
        mix = (float(weights[0]), float(weights[1]), float(weights[2]))

        def to_grey(x: Tensor) -> Tensor:
            return grey(x, mix)

        target = to_grey
        steps.append(('infrared', to_grey))
    if rng.random() < 0.3:
        steps.append(('glare', _glare(rng)))
    if rng.random() < 0.5:
        steps.append(('motion', _motion(rng)))
    if rng.random() < 0.4:
        steps.append(('blur', _blur(rng)))
    sensor = [('low light', _low_light(rng))] if rng.random() < 0.7 else [('noise', _noise(rng))]
    sensor.append(('jpeg', _jpeg(rng)))
    label = 'sensor: ' + ' + '.join(name for name, _ in sensor)
    steps.append((label, _shrink(rng, [step for _, step in sensor])))
    if target is not None:
        # The sensor's noise and the codec must not bring colour back.
        steps.append(('mono', lambda x: grey(x, (0.299, 0.587, 0.114))))
    return Degradation(
        steps=tuple(s for _, s in steps), target=target, names=tuple(n for n, _ in steps)
    )


def sample_mosaic(rng: np.random.Generator) -> Degradation:
    """Return the 16x mosaic of the HiFaceGAN tests (nothing random in it)."""
    del rng
    return Degradation(steps=(lambda x: mosaic(x, 16),), names=('mosaic',))


SAMPLERS: dict[str, Callable[[np.random.Generator], Degradation]] = {
    'general': sample_general,
    'car': sample_car,
    'mosaic': sample_mosaic,
}


def sample(rng: np.random.Generator, shares: dict[str, float]) -> Degradation:
    """Draw a degradation from the named sets.

    Args:
        rng: source of randomness.
        shares: weight of each set; names as in `SAMPLERS`.

    Raises:
        KeyError: a name that is not in `SAMPLERS`.

    """
    names = list(shares)
    weights = np.array([shares[n] for n in names], dtype=np.float64)
    return SAMPLERS[str(rng.choice(names, p=weights / weights.sum()))](rng)
