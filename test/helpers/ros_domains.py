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

"""ROS domains for tests: of this process alone, and none twice in a row.

Not the domain of another worker, of the demo or of a second checkout: tests would find two
nodes. And not that of the test before: a killed participant leaves shared memory that belongs
to its domain.
"""

from __future__ import annotations

from collections import deque

from cfrnet_ros.replay.ros_domain import claim_domain, release_domain

#: Claims that a process keeps: those of nodes that still start. A domain with a running node
#: is not given to anybody else, claimed or not.
_MOST = 8
_claimed: deque[int] = deque()


def next_domain() -> int:
    """Return a domain id that no other process uses, and this one has not used for a while."""
    _claimed.append(claim_domain())
    if len(_claimed) > _MOST:
        release_domain(_claimed.popleft())
    return _claimed[-1]
