"""Compare the network's layouts: the same training for each, then quality against time.

``python -m training.compare_layouts --data FACES --out RUN``
"""

from __future__ import annotations
