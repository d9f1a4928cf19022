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

"""Seeded, differentiable degradations of aligned faces, a whole batch at a time.

A `Degradation` is a frozen record of steps: the same plan applied twice does the same,
noise included, whatever batch it is in. That is what the re-degradation loss needs, and it
makes the test set reproducible. Everything works on (B, 3, H, W) float RGB in 0..1 on any
device, with parameters of its own for each face in every call, and lets gradients through
(rounding by the straight-through estimator).

Sources of the ranges, which stand in `samplers` and, in a table, in
`docs/degradations.md`: the order-shuffled blur / down-sampling / noise / compression set
follows HiFaceGAN (Yang et al., ACM MM 2020), GFPGAN (Wang et al., CVPR 2021: blur sigma
0.1..10 and down-sampling 0.8..8 at 512 px, halved here for 256 px; noise sigma 0..15/255;
JPEG quality 60..100) and Real-ESRGAN (Wang et al., ICCVW 2021: noise to 30/255, colourless
noise, mixed resize filters, quality from 30), widened towards cheap cameras (quality down
to 15, video compression). The car set (low light with shot and read noise, grey infrared,
motion blur, glare, video) uses the photon model of Foi et al., "Practical
Poissonian-Gaussian noise modeling", TIP 2008, and the windscreen measurements of Mefford
and Flannagan, UMTRI-2003-36.
"""

from training.degradation.batch import DegradationBatch, degrade, targets
from training.degradation.blur import (
    GaussianBlur,
    MotionBlur,
    MotionPath,
    convolve,
    gaussian_kernels,
    motion_kernels,
    path_kernels,
)
from training.degradation.colour import ColourBlotches, ColourCast, CutShadows
from training.degradation.exposure import expose_batch, exposure_gains
from training.degradation.fusion import Fusion, Shift, effective_frames
from training.degradation.jpeg import Jpeg, jpeg
from training.degradation.light import Glare, Grey, grey
from training.degradation.noise import LowLight, Noise, normal_field
from training.degradation.plan import Degradation, clean_plan
from training.degradation.resize import Enlarge, Mosaic, Shrink, mosaic
from training.degradation.samplers import (
    SAMPLERS,
    sample,
    sample_car,
    sample_fused,
    sample_general,
    sample_low_light,
    sample_mosaic,
    sample_motion,
)
from training.degradation.step import Step
from training.degradation.video import Video

__all__ = [
    'SAMPLERS',
    'ColourBlotches',
    'ColourCast',
    'CutShadows',
    'Degradation',
    'DegradationBatch',
    'Enlarge',
    'Fusion',
    'GaussianBlur',
    'Glare',
    'Grey',
    'Jpeg',
    'LowLight',
    'Mosaic',
    'MotionBlur',
    'MotionPath',
    'Noise',
    'Shift',
    'Shrink',
    'Step',
    'Video',
    'clean_plan',
    'convolve',
    'degrade',
    'effective_frames',
    'expose_batch',
    'exposure_gains',
    'gaussian_kernels',
    'grey',
    'jpeg',
    'mosaic',
    'motion_kernels',
    'normal_field',
    'path_kernels',
    'sample',
    'sample_car',
    'sample_fused',
    'sample_general',
    'sample_low_light',
    'sample_mosaic',
    'sample_motion',
    'targets',
]
