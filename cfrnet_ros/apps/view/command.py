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

"""Entry point of `cfrnet-view`: says what to install if a package is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cfrnet_ros.apps.packages import missing_text, ros_missing_text

#: pip names of the packages that the command needs, by the modules that it imports.
PACKAGES = {'aiohttp': 'aiohttp', 'yaml': 'pyyaml'}


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code, which is 2 if packages are missing."""
    missing = ros_missing_text('cfrnet-view') or missing_text('cfrnet-view', PACKAGES)
    if missing:
        print(missing, file=sys.stderr)
        return 2
    from cfrnet_ros.apps.view.main import main as view

    return view(args)
