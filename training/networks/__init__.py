"""Layouts of CFRNet, all of about 2.0 M parameters; ``training.networks.build`` chooses among them.

Only operators that NPU compilers map onto their multiply-accumulate arrays: convolution,
ReLU, addition, nearest upsampling and a final clip. Nothing is normalised, so nothing has
to be folded for inference.
"""

from __future__ import annotations
