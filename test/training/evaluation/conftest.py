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
