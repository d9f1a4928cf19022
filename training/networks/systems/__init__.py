"""Other face restorers, each our own small implementation from its paper.

All have about 2.0 M parameters at 256 x 256 px, so that they can be trained and measured beside
CFRNet (`training.experiments.compare_systems`). What makes each of them that system is kept; what
its authors could afford (pretrained face generators, hundreds of thousands of steps, hundreds of
megabytes) is not. ``training.networks.systems.build`` chooses among them.
"""

from __future__ import annotations
