"""Weights of the metrics, where they are installed."""

from __future__ import annotations

import pytest


@pytest.fixture(scope='session')
def metric_weights() -> dict[str, str]:
    """Skip where the packages with the metrics' weights are not installed."""
    from training.evaluation.meters import Meters

    try:
        return Meters().weights()
    except (FileNotFoundError, ImportError) as error:
        pytest.skip(str(error))
