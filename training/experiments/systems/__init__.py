"""Parts of the comparison of systems: rows, their objectives, the training and what is measured.

``python -m training.experiments.compare_systems`` puts them together.
"""

from __future__ import annotations
