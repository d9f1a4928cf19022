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

"""Declares the parameters on a ROS node and keeps a frozen snapshot of their values.

Static parameters are read-only once the node runs. Dynamic parameters take effect on the next
frame, since each frame is processed with one frozen `Settings`.
"""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from cfrnet_ros.node.parameters.overrides import BUILT_IN, QOS_PREFIX, find_problems
from cfrnet_ros.node.parameters.settings import Settings
from cfrnet_ros.vision.declaration import Declaration, Value, declarations


class NodeParameters:
    """Declares the parameters on a node and keeps a frozen snapshot of them up to date.

    Attributes:
        settings: Current values. They are replaced as a whole after each change, so that another
            thread reads either all old or all new values.
        problems: Descriptions of the overrides that were wrong at start, one line for each.
        qos_overrides: Names of the QoS overrides that were given at start, sorted.

    """

    settings: Settings
    problems: list[str]
    qos_overrides: list[str]

    def __init__(self, node: Node, settings: type[Settings] = Settings) -> None:
        """Declare every parameter.

        rclpy ignores overrides of undeclared parameters, and raises an exception in the
        constructor for a wrong type. Therefore the node must have been created with
        `automatically_declare_parameters_from_overrides=True`. This constructor reads the
        overrides, undeclares them, and declares all parameters with their descriptors. Errors in
        the overrides are kept in `problems`, so that the configure transition can report them.

        Args:
            node: Node on which the parameters are declared.
            settings: Class whose fields declare the parameters.

        """
        self._node = node
        self._class = settings
        self._parameters = declarations(settings)
        overrides = {
            name: parameter.value
            for name, parameter in node.get_parameters_by_prefix('').items()
            if name not in BUILT_IN
        }
        for name in overrides:
            # QoS overrides are undeclared as well: rclpy declares them again, read-only, together
            # with the topic that they belong to.
            node.undeclare_parameter(name)
        values, self.problems = find_problems(overrides, self._parameters)
        self.qos_overrides = sorted(name for name in overrides if name.startswith(QOS_PREFIX))
        for name, declared in self._parameters.items():
            node.declare_parameter(
                name,
                _to_ros(values.get(name, declared.default)),
                descriptor(declared),
                ignore_override=True,
            )
        self.settings = self._snapshot()
        node.add_pre_set_parameters_callback(self._convert)
        node.add_on_set_parameters_callback(self._validate)
        node.add_post_set_parameters_callback(self._apply)

    def _snapshot(self) -> Settings:
        values: dict[str, Any] = {
            declared.field: self._node.get_parameter(name).value
            for name, declared in self._parameters.items()
        }
        return self._class(**values)

    def _convert(self, parameters: list[Parameter[Any]]) -> list[Parameter[Any]]:
        """Convert values to the type that rclpy requires if nothing is lost by it."""
        converted: list[Parameter[Any]] = []
        for parameter in parameters:
            declared = self._parameters.get(parameter.name)
            if declared is not None:
                try:
                    value = _to_ros(declared.convert(parameter.value))
                except ValueError:
                    pass  # Refused later, with a reason from rclpy or from `_validate`.
                else:
                    # The default determines the type, since an empty list does not show its own.
                    kind = Parameter.Type.from_parameter_value(_to_ros(declared.default))
                    parameter = Parameter(parameter.name, kind, value)
            converted.append(parameter)
        return converted

    def _validate(self, parameters: list[Parameter[Any]]) -> SetParametersResult:
        reasons: list[str] = []
        for parameter in parameters:
            declared = self._parameters.get(parameter.name)
            if declared is None:
                continue
            try:
                declared.convert(parameter.value)
            except ValueError as error:
                reasons.append(str(error))
        return SetParametersResult(successful=not reasons, reason='; '.join(reasons))

    def explain(
        self, parameters: list[Parameter[Any]], result: SetParametersResult
    ) -> SetParametersResult:
        """Replace rclpy's reason, which names types by numbers, such as '2' for integer.

        Args:
            parameters: Parameters that were to be set.
            result: Result of rclpy.

        Returns:
            The same result, with the reason of this package's check if a value has the wrong type.

        """
        if result.reason.startswith('Wrong parameter type'):
            ours = self._validate(parameters)
            if not ours.successful:
                return ours
        return result

    def _apply(self, parameters: list[Parameter[Any]]) -> None:
        if any(parameter.name in self._parameters for parameter in parameters):
            # A single assignment, so that a worker reads either the old or the new snapshot.
            self.settings = self._snapshot()


def descriptor(declared: Declaration) -> ParameterDescriptor:
    """Return rclpy's descriptor of a parameter: description, range, whether it is read-only."""
    found = ParameterDescriptor(
        name=declared.name,
        description=declared.description,
        read_only=not declared.dynamic,
        additional_constraints=declared.range_text,
    )
    if declared.low is not None and declared.high is not None:
        if isinstance(declared.default, float):
            found.floating_point_range = [
                FloatingPointRange(from_value=float(declared.low), to_value=float(declared.high))
            ]
        else:
            found.integer_range = [
                IntegerRange(
                    from_value=int(declared.low),
                    to_value=int(declared.high),
                    step=declared.step,
                )
            ]
    return found


def _to_ros(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value
