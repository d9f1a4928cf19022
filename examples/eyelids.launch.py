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

"""Start the restorer, and the example that measures eyelids in the restored faces.

ros2 launch examples/eyelids.launch.py image:=/dms/image_raw cycles:=2
ros2 launch examples/eyelids.launch.py --show-args
"""

from __future__ import annotations

import sys
from pathlib import Path

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription

#: Folder of the checkout: `examples` is not installed, so Python must find it from here.
ROOT = Path(__file__).resolve().parents[1]


def declare_arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments of the example, in addition to those of dms.launch.py."""
    return [
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of both nodes.'
        ),
        DeclareLaunchArgument('name', default_value='cfrnet', description='Name of the restorer.'),
        DeclareLaunchArgument(
            'use_sim_time',
            default_value='',
            choices=['', 'true', 'false'],
            description='Take the time from /clock, for bags and simulators. Empty for the value of'
            ' a launch file that includes this one.',
        ),
        DeclareLaunchArgument(
            'perclos_warning',
            default_value='0.15',
            description='PERCLOS from which a face is reported with WARN, 0 to 1.',
        ),
        DeclareLaunchArgument(
            'window_s',
            default_value='60.0',
            description='Window for PERCLOS and the blink rate in seconds, 10 to 600.',
        ),
    ]


def make_watcher(context: LaunchContext) -> list[Node]:
    """Return the example's node with the arguments that were given."""
    given: dict[str, ParameterValue] = {
        name: ParameterValue(LaunchConfiguration(name), value_type=float)
        for name in ('perclos_warning', 'window_s')
    }
    given['source'] = ParameterValue(LaunchConfiguration('name'), value_type=str)
    # Not passed unless given, or it would override an outer SetParameter.
    if LaunchConfiguration('use_sim_time').perform(context) != '':
        given['use_sim_time'] = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    return [
        Node(
            executable=sys.executable,
            arguments=['-m', 'examples.eyelids.eyelid_node'],
            cwd=str(ROOT),
            name='eyelids',
            namespace=LaunchConfiguration('namespace'),
            parameters=[given],
            output='screen',
            emulate_tty=True,
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    restorer = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([FindPackageShare('cfrnet_ros'), 'launch/dms.launch.py'])
        )
    )
    return LaunchDescription(
        [*declare_arguments(), restorer, OpaqueFunction(function=make_watcher)]
    )
