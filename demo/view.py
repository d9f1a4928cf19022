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

"""Shows the demo's bag in the browser: `python -m demo.view`, or `make view`.

Makes the bag if it does not exist yet and starts `cfrnet-view` with it, which plays it in a loop
through the real node. Ctrl-C ends all of it.
"""

from __future__ import annotations

import sys

from cfrnet_ros.apps.view.main import main as view
from demo.bag_frames import IMAGE_TOPIC
from demo.run_demo import OUT, cached_bag


def main() -> int:
    """Run from the command line, with further arguments for `cfrnet-view`; returns its code."""
    OUT.mkdir(parents=True, exist_ok=True)
    try:
        bag = cached_bag(OUT)
    except KeyboardInterrupt:
        return 0
    return view(['--bag', str(bag), '--topic', IMAGE_TOPIC, *sys.argv[1:]])


if __name__ == '__main__':
    sys.exit(main())
