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

"""Start the restorer for a driver-monitoring camera.

ros2 launch cfrnet_ros dms.launch.py image:=/dms/image_raw cycles:=3
ros2 launch cfrnet_ros dms.launch.py --show-args
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from cfrnet_ros.node.parameters.settings import PARAMETERS
from launch import LaunchContext, LaunchDescription

BOOLEANS = ['true', 'false']

#: Parameters of the node that the command line can override. An empty argument keeps the value
#: of the params file.
OVERRIDES = ('image_transport', 'cycles', 'provider', 'model', 'detector_model', 'autostart')


def override(name: str) -> DeclareLaunchArgument:
    """Return the argument that overrides a parameter, with the parameter's own description."""
    declared = PARAMETERS[name]
    choices, low, high = list(declared.choices), declared.low, declared.high
    if isinstance(declared.default, bool):
        choices = BOOLEANS
    elif isinstance(declared.default, int) and low is not None and high is not None:
        choices = [str(n) for n in range(int(low), int(high) + 1, declared.step)]
    return DeclareLaunchArgument(
        name,
        default_value='',
        choices=['', *choices] if choices else None,
        description=f'{declared.description} Empty for the value in params_file.',
    )


def declare_arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments, as `--show-args` prints them."""
    return [
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of the node and its topics.'
        ),
        DeclareLaunchArgument(
            'name',
            default_value='cfrnet',
            description='Name of the node; its topics begin with it.',
        ),
        DeclareLaunchArgument(
            'image',
            default_value='image',
            description='Topic of the camera (sensor_msgs/Image). If image_transport is compressed,'
            ' the name may be given with or without /compressed.',
        ),
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution([FindPackageShare('cfrnet_ros'), 'config/dms.yaml']),
            description='YAML file with the parameters under the key /**.',
        ),
        *map(override, OVERRIDES),
        DeclareLaunchArgument(
            'use_sim_time',
            default_value='',
            choices=['', *BOOLEANS],
            description='Take the time from /clock, for bags and simulators. Empty for the value in'
            ' params_file, or of a launch file that includes this one.',
        ),
        DeclareLaunchArgument(
            'log_level',
            default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='Log level of the node; that of the ROS 2 libraries below it stays info.',
        ),
        DeclareLaunchArgument(
            'large_images',
            default_value='false',
            choices=BOOLEANS,
            description='Set FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA for a camera driver that has it.'
            ' Then every process needs it, including the terminals with ros2 param and ros2 topic:'
            ' processes with and without it do not see each other.',
        ),
    ]


def params_file(context: LaunchContext) -> str:
    """Return the path of the params file; launch itself would go on without a missing one."""
    path = Path(LaunchConfiguration('params_file').perform(context)).expanduser()
    if not path.is_file():
        raise ValueError(f"params_file: there is no file '{path}'")
    return str(path)


def warn_of_unknown_arguments(context: LaunchContext) -> None:
    """Warn of arguments of the command line that look like ours and are none.

    Others may belong to a launch file that includes this one. Launch ignores all of them.
    """
    known = [argument.name for argument in declare_arguments()]
    names = [text.partition(':=')[0] for text in context.argv if ':=' in text]
    for name in names:
        # A launch file for two cameras has left_image and right_image, for instance.
        if name in known or any(name.endswith(f'_{each}') for each in known):
            continue
        if name in PARAMETERS:
            remedy = 'write the parameter into a file and name that by params_file:='
        elif similar := get_close_matches(name, known, 1, 0.75):
            remedy = f'did you mean {similar[0]}:=?'
        else:
            continue
        get_logger('dms.launch.py').warning(f'there is no argument {name}, it is ignored: {remedy}')


def log_level(context: LaunchContext) -> str:
    """Return the value of --log-level: that of the node's own logger, such as cabin.cfrnet:=debug.

    A level without a name would be that of rcl and the middleware too, which write thousands of
    lines.
    """
    name, namespace, level = (
        LaunchConfiguration(argument).perform(context)
        for argument in ('name', 'namespace', 'log_level')
    )
    # As launch_ros puts them together; the outer namespace is that of PushROSNamespace.
    outer = context.launch_configurations.get('ros_namespace', '')
    full = namespace if namespace.startswith('/') else f'{outer}/{namespace}'
    logger = '.'.join(filter(None, [*full.split('/'), name]))
    return f'{logger}:={level}'


def make_node(context: LaunchContext) -> list[Node]:
    """Return the node, with the params file first and then the arguments that were given."""
    given: dict[str, Any] = {
        name: ParameterValue(LaunchConfiguration(name), value_type=type(PARAMETERS[name].default))
        for name in OVERRIDES
        if LaunchConfiguration(name).perform(context) != ''
    }
    # Not passed unless given, or it would override a params file and an outer SetParameter.
    if LaunchConfiguration('use_sim_time').perform(context) != '':
        given['use_sim_time'] = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    return [
        Node(
            package='cfrnet_ros',
            executable='restorer',
            name=LaunchConfiguration('name'),
            namespace=LaunchConfiguration('namespace'),
            # Not an empty dictionary, of which launch would make a params file without parameters.
            parameters=[params_file(context), *([given] if given else [])],
            remappings=[('image', LaunchConfiguration('image'))],
            ros_arguments=['--log-level', log_level(context)],
            output='screen',
            emulate_tty=True,
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription(
        [
            *declare_arguments(),
            SetEnvironmentVariable(
                'FASTDDS_BUILTIN_TRANSPORTS',
                'LARGE_DATA',
                condition=IfCondition(LaunchConfiguration('large_images')),
            ),
            OpaqueFunction(function=warn_of_unknown_arguments),
            OpaqueFunction(function=make_node),
        ]
    )
