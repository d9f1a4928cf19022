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

"""Reads and sets the parameters of a node that the page shows."""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import Parameter as ParameterMsg
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.parameter import parameter_value_to_python

from cfrnet_ros.apps.param.values import parse_value
from cfrnet_ros.apps.view.ros_thread import NoAnswerError, RosThread
from cfrnet_ros.vision.quality.face_quality import LIMITS

#: Parameters with a slider. The page can set these and no others.
SLIDERS = ('cycles', 'strength', 'fusion', 'temporal_smoothing')
QUALITY, WHOLE_FRAMES = 'jpeg_quality', 'whole_frames'
_READ = (*SLIDERS, QUALITY, WHOLE_FRAMES, *LIMITS.values())


class Parameters:
    """The parameters of one node, as they were at the last `read`.

    Attributes:
        values: Values by name; empty while the node does not answer.

    """

    def __init__(self, ros: RosThread, node: str) -> None:
        """Start without values; `node` is the full name of the node."""
        self._ros, self._node = ros, node
        self.values: dict[str, Any] = {}
        self._descriptors: dict[str, Any] = {}

    @property
    def quality(self) -> int:
        """Quality of the node's JPEG, 1..100; its default while it is not known."""
        return int(self.values.get(QUALITY) or 90)

    async def read(self) -> bool:
        """Read all values; returns whether anything has changed."""
        before = self.values
        try:
            if not before:
                request = DescribeParameters.Request(names=list(SLIDERS))
                told = await self._ask(DescribeParameters, 'describe_parameters', request)
                self._descriptors = {found.name: found for found in told.descriptors}
            answer = await self._ask(
                GetParameters, 'get_parameters', GetParameters.Request(names=list(_READ))
            )
        except NoAnswerError:
            self.values = {}
        else:
            values = (parameter_value_to_python(value) for value in answer.values)
            self.values = dict(zip(_READ, values))
        return self.values != before

    async def set(self, name: str, text: str) -> str:
        """Set a parameter.

        Args:
            name: One of `SLIDERS`.
            text: Value as text, such as '3'.

        Returns:
            Reason why it was not set, from the node if the node refused it; '' if it was set.

        """
        descriptor = self._descriptors.get(name)
        if name not in SLIDERS:
            return f'{name} cannot be set from this page'
        if descriptor is None:
            return f'{self._node} does not answer'
        try:
            value = parse_value(name, text, descriptor.type)
            request = SetParameters.Request(parameters=[ParameterMsg(name=name, value=value)])
            answer = await self._ask(SetParameters, 'set_parameters', request)
        except (ValueError, NoAnswerError) as error:
            return str(error)
        (result,) = answer.results
        return '' if result.successful else (result.reason or 'the node refuses the value')

    def sliders(self) -> list[dict[str, Any]]:
        """Return what the page needs for each slider; nothing while the node does not answer."""
        found = []
        for name in SLIDERS:
            descriptor, value = self._descriptors.get(name), self.values.get(name)
            if descriptor is None or value is None:
                continue
            whole = bool(descriptor.integer_range)
            ranges = descriptor.integer_range or descriptor.floating_point_range
            if ranges:
                low, high = ranges[0].from_value, ranges[0].to_value
                found.append(
                    {
                        'name': name, 'value': value, 'low': low, 'high': high,
                        'step': 1 if whole else 0.05, 'about': descriptor.description,
                    }
                )  # fmt: skip
        return found

    def limits(self) -> dict[str, dict[str, Any]]:
        """Return the parameter and its value for each reason not to restore a face."""
        return {
            reason: {'parameter': name, 'value': self.values.get(name)}
            for reason, name in LIMITS.items()
        }

    async def _ask(self, kind: Any, service: str, request: Any) -> Any:
        return await self._ros.ask(kind, f'{self._node}/{service}', request)
