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

"""The service `~/enable`, which stops and continues the work without the lifecycle."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from rclpy.node import Node
from std_srvs.srv import SetBool

ENABLE_SERVICE = '~/enable'


class EnableService:
    """Offers `~/enable` in every lifecycle state.

    Attributes:
        enabled: Whether the node works while it is active.

    """

    def __init__(self, node: Node, apply: Callable[[bool], str]) -> None:
        """Offer the service.

        Args:
            node: Node that offers it.
            apply: Function that starts (True) or stops (False) the work, after `enabled` has
                changed, and returns a sentence for the answer.

        """
        self.enabled = True
        self._log = node.get_logger()
        self._apply = apply
        self._service = node.create_service(SetBool, ENABLE_SERVICE, self._set)

    def _set(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        wanted = bool(request.data)
        word = 'enabled' if wanted else 'disabled'
        if wanted == self.enabled:
            response.success, response.message = True, f'{word} already'
            return response
        self.enabled = wanted
        try:
            response.message = f'{word}: {self._apply(wanted)}'
            response.success = True
            self._log.info(f'{word} by {ENABLE_SERVICE}')
        except Exception as error:
            # An exception in a callback would end the executor and thus the node.
            self._log.error(f'{ENABLE_SERVICE}: {traceback.format_exc().strip()}')
            self.enabled = not wanted
            response.success, response.message = False, f'{type(error).__name__}: {error}'
        return response
