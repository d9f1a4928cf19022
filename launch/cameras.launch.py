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

"""Start the restorer for several cameras in one process, with one engine for all of them.

ros2 launch cfrnet_ros cameras.launch.py cameras:="[front, rear]"
ros2 launch cfrnet_ros cameras.launch.py \
    cameras:="{front: /dms/front/image_raw, rear: /dms/rear/image_raw}" threads:=1

two_cameras.launch.py starts a process for each of two cameras instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from cfrnet_ros.node.parameters.settings import PARAMETERS
from launch import LaunchContext, LaunchDescription

#: Parameters of all cameras that the command line can override. An empty argument keeps the value
#: of the params file.
OVERRIDES = ('image_transport', 'cycles', 'provider', 'model', 'threads')


def declare_arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments, as `--show-args` prints them."""
    return [
        DeclareLaunchArgument(
            'cameras',
            description='Names of the cameras as [front, rear], or names and topics of their images'
            ' as {front: /dms/front/image_raw}. A name is the namespace of a node /front/cfrnet,'
            ' which takes /front/image unless a topic is given.',
        ),
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution([FindPackageShare('cfrnet_ros'), 'config/dms.yaml']),
            description='YAML file with the parameters: of all cameras under the key /**, of one'
            ' under /front/cfrnet.',
        ),
        *(
            DeclareLaunchArgument(
                name,
                default_value='',
                description=f'{PARAMETERS[name].description} Empty for the value in params_file.',
            )
            for name in OVERRIDES
        ),
        DeclareLaunchArgument(
            'use_sim_time',
            default_value='',
            choices=['', 'true', 'false'],
            description='Take the time from /clock. Empty for the value in params_file.',
        ),
        DeclareLaunchArgument(
            'at_once',
            default_value='0',
            description='Number of frames that are processed at once; 0 for one on each core.',
        ),
        DeclareLaunchArgument(
            'respawn',
            default_value='false',
            choices=['true', 'false'],
            description='Start the process again if it ends by itself.',
        ),
    ]


def cameras(context: LaunchContext) -> list[str]:
    """Return the words of the command line for the cameras.

    Raises:
        ValueError: The argument is neither a list nor a mapping of names.

    """
    text = LaunchConfiguration('cameras').perform(context)
    try:
        given: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        given = None
    if isinstance(given, str):
        given = [given]
    if isinstance(given, dict) and given:
        return [f'{name}={topic}' if topic else str(name) for name, topic in given.items()]
    if isinstance(given, list) and given and all(isinstance(name, str) for name in given):
        return given
    raise ValueError(
        f'cameras:={text!r}: write the names as "[front, rear]", or with topics as'
        ' "{front: /dms/front/image_raw, rear: /dms/rear/image_raw}"'
    )


def make_process(context: LaunchContext) -> list[Node]:
    """Return the process, with the params file first and then the arguments that were given."""
    path = Path(LaunchConfiguration('params_file').perform(context)).expanduser()
    if not path.is_file():
        raise ValueError(f"params_file: there is no file '{path}'")
    given: dict[str, Any] = {
        name: ParameterValue(LaunchConfiguration(name), value_type=type(PARAMETERS[name].default))
        for name in OVERRIDES
        if LaunchConfiguration(name).perform(context) != ''
    }
    if LaunchConfiguration('use_sim_time').perform(context) != '':
        given['use_sim_time'] = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    return [
        Node(
            package='cfrnet_ros',
            executable='cfrnet-cameras',
            arguments=[*cameras(context), '--at-once', LaunchConfiguration('at_once')],
            parameters=[str(path), *([given] if given else [])],
            respawn=LaunchConfiguration('respawn').perform(context) == 'true',
            output='screen',
            emulate_tty=True,
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription([*declare_arguments(), OpaqueFunction(function=make_process)])
