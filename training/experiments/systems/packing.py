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

"""What is packed for a borrowed machine that trains the rows (`training.tools.pack`)."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from training.experiments.systems import borrowed
from training.experiments.systems.rows import ROWS, read_rows
from training.run.borrowed.pack import Session


def make_session(names: Collection[str], path: Path = ROWS) -> Session:
    """Describe the session that trains some rows side by side.

    Args:
        names: Names of rows, or of groups of rows.
        path: File with the rows.

    Raises:
        ValueError: There is no row or group of a name.

    """
    rows = read_rows(path)
    chosen = rows.named(names)
    return Session(
        module=borrowed.__name__,
        configs=[row.config for row in chosen],
        exclude=rows.shared.exclude,
        entries=[(borrowed.CHOSEN, json.dumps([row.name for row in chosen]).encode())],
    )
