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

"""Talks to the parameter services of another node."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import rclpy
from rcl_interfaces.msg import Parameter as ParameterMsg
from rcl_interfaces.msg import ParameterDescriptor, ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
)
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import parameter_value_to_python

#: Time in seconds after which an unanswered request is sent again: an answer that is sent before
#: the node has discovered this client is lost.
_PATIENCE_S = 2.0
_SERVICE = '/get_parameters'


class ParamError(Exception):
    """The node does not answer or refuses; the text names the cause."""


class NodeNotFoundError(ParamError):
    """No node of that name was discovered."""


class ParamClient:
    """Client of one node's parameters; to be used in a `with` statement."""

    def __init__(self, target: str, timeout_s: float) -> None:
        """Join the ROS graph.

        Args:
            target: Name of the node, with or without a leading slash; '' for none.
            timeout_s: Longest time in seconds to wait for the node and for each answer.

        """
        self._target = f'/{target.strip("/")}'
        self._timeout_s = timeout_s
        self._context = Context()
        rclpy.init(args=[], context=self._context)
        # The name must be free: several such commands may run at once.
        self._node = rclpy.create_node(
            f'cfrnet_param_{time.time_ns() % 10**9}', context=self._context,
            start_parameter_services=False, enable_rosout=False,
        )  # fmt: skip
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def __enter__(self) -> ParamClient:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the ROS graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def nodes(self) -> list[str]:
        """Return the full names of the nodes with parameters that are discovered in the timeout."""
        deadline = time.monotonic() + self._timeout_s
        before: list[str] = []
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.5)
            found = self._with_parameters()
            if found and found == before:
                break
            before = found
            time.sleep(0.5)
        return before

    def names(self) -> list[str]:
        """Return the names of all parameters of the node."""
        response = self._call(ListParameters, 'list_parameters', ListParameters.Request())
        return sorted(response.result.names)

    def values(self, names: list[str]) -> list[Any]:
        """Return the values of parameters, None for one that is not set or does not exist."""
        response = self._call(GetParameters, 'get_parameters', GetParameters.Request(names=names))
        return [parameter_value_to_python(value) for value in response.values]

    def describe(self, names: list[str]) -> list[ParameterDescriptor]:
        """Return the descriptions of parameters.

        Raises:
            ParamError: The node has no parameter of one of these names.

        """
        known = self.names()
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ParamError(
                f'{self._target} has no parameter {unknown[0]!r};'
                f' cfrnet-param list {self._target} shows all'
            )
        request = DescribeParameters.Request(names=names)
        return list(self._call(DescribeParameters, 'describe_parameters', request).descriptors)

    def set(self, name: str, value: ParameterValue) -> None:
        """Set a parameter.

        Raises:
            ParamError: The node refuses the value, for the reason in the text.

        """
        request = SetParameters.Request(parameters=[ParameterMsg(name=name, value=value)])
        (result,) = self._call(SetParameters, 'set_parameters', request).results
        if not result.successful:
            raise ParamError(f'{self._target} refuses: {result.reason}')

    def _call(self, kind: Any, service: str, request: Any) -> Any:
        client = self._node.create_client(kind, f'{self._target}/{service}')
        try:
            deadline = time.monotonic() + self._timeout_s
            while not client.service_is_ready():
                if time.monotonic() > deadline:
                    others = ', '.join(self._with_parameters()) or 'none'
                    raise NodeNotFoundError(
                        f'there is no node {self._target}; nodes that were found: {others}'
                    )
                self._executor.spin_once(timeout_sec=0.1)
            deadline = time.monotonic() + self._timeout_s
            while time.monotonic() < deadline:
                future = client.call_async(request)
                patience = min(_PATIENCE_S, max(0.1, deadline - time.monotonic()))
                self._executor.spin_until_future_complete(future, timeout_sec=patience)
                if future.done():
                    return future.result()
                client.remove_pending_request(future)
            raise ParamError(f'{self._target} does not answer within {self._timeout_s:g} s')
        finally:
            self._node.destroy_client(client)

    def _with_parameters(self) -> list[str]:
        services = self._node.get_service_names_and_types()
        return sorted(name[: -len(_SERVICE)] for name, _ in services if name.endswith(_SERVICE))
