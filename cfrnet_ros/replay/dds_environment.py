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

"""Environment variables of Fast DDS, which a process must set before it creates a ROS context.

Nothing of ROS is imported, so that tests without it can set them too.
"""

from __future__ import annotations

import os

from cfrnet_ros.node.transport import BOTH_SIDES_PROFILE, choose_profile


def prepare_environment() -> None:
    """Set what the middleware reads at start, for this process and for those it starts."""
    choose_profile(BOTH_SIDES_PROFILE)
    # With a limited range rmw_fastrtps adds transports of its own, which lose images.
    for name in ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY'):
        os.environ.pop(name, None)
