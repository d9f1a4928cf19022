"""Parts of the comparison of layouts: the same training for each, then quality against time.

``python -m training.experiments.compare_layouts --data FACES --out RUN``
"""

from __future__ import annotations
