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

"""Sets another node's parameters with the standard service, as `ros2 param set` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python

from cfrnet_ros.replay.errors import ParameterError
from cfrnet_ros.replay.service_call import ServiceTimeoutError, call


class ParameterClient:
    """Reads and sets the parameters of one node."""

    def __init__(self, node: Node, target: str, timeout_s: float = 10.0) -> None:
        """Create the client.

        Args:
            node: ROS node of the replay, spun by another thread.
            target: Full name of the other node, for example '/cfrnet'.
            timeout_s: Timeout for one answer, in seconds.

        """
        self._node = node
        self._target = target
        self._timeout_s = timeout_s

    def set(self, values: Mapping[str, Any]) -> None:
        """Set parameters, one by one in the given order.

        Args:
            values: Values by parameter name: bool, int, float, str, or a list of these.

        Raises:
            ParameterError: The node refused a value, for the reason given in the text, or did
                not answer.

        """
        request = SetParameters.Request()
        request.parameters = [
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
        ]
        response = self._call(SetParameters, 'set_parameters', request)
        for name, result in zip(values, response.results):
            if not result.successful:
                raise ParameterError(f'{self._target} refused {name}: {result.reason}')

    def get(self, *names: str) -> dict[str, Any]:
        """Return the values of parameters by name; None for one that is not declared.

        Raises:
            ParameterError: The node did not answer.

        """
        response = self._call(
            GetParameters, 'get_parameters', GetParameters.Request(names=list(names))
        )
        return {
            name: parameter_value_to_python(value) for name, value in zip(names, response.values)
        }

    def get_all(self) -> dict[str, Any]:
        """Return the values of all declared parameters by name.

        Raises:
            ParameterError: The node did not answer.

        """
        response = self._call(ListParameters, 'list_parameters', ListParameters.Request())
        return self.get(*sorted(response.result.names))

    def _call(self, kind: Any, service: str, request: Any) -> Any:
        try:
            return call(self._node, kind, f'{self._target}/{service}', request, self._timeout_s)
        except ServiceTimeoutError as error:
            raise ParameterError(str(error)) from error
