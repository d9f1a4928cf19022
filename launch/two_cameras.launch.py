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

"""Start two restorers for two cameras, each in a namespace of its own.

ros2 launch cfrnet_ros two_cameras.launch.py left_image:=/dms/driver/image_raw \
    right_image:=/dms/passenger/image_raw
"""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription

CAMERAS = ('left', 'right')


def dms() -> ModuleType:
    """Return the launch file of one camera, as a module."""
    path = Path(__file__).with_name('dms.launch.py')
    spec = spec_from_file_location('dms_launch', path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declare_arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments, as `--show-args` prints them."""
    arguments = []
    for camera in CAMERAS:
        arguments += [
            DeclareLaunchArgument(
                f'{camera}_namespace',
                default_value=camera,
                description=f'Namespace of the {camera} node and its topics.',
            ),
            DeclareLaunchArgument(
                f'{camera}_image',
                default_value=f'/{camera}/image_raw',
                description=f'Topic of the {camera} camera (sensor_msgs/Image).',
            ),
            DeclareLaunchArgument(
                f'{camera}_params_file',
                default_value=PathJoinSubstitution(
                    [FindPackageShare('cfrnet_ros'), 'config/dms.yaml']
                ),
                description=f'YAML file with the parameters of the {camera} node under the key'
                f' /**.',
            ),
        ]
    own = {'namespace', 'image', 'params_file'}
    return [*arguments, *(shared for shared in dms().declare_arguments() if shared.name not in own)]


def include(camera: str) -> GroupAction:
    """Return one camera's node in a process of its own, as `dms.launch.py` starts it."""
    source = PathJoinSubstitution([FindPackageShare('cfrnet_ros'), 'launch/dms.launch.py'])
    given = {
        'namespace': LaunchConfiguration(f'{camera}_namespace'),
        'image': LaunchConfiguration(f'{camera}_image'),
        'params_file': LaunchConfiguration(f'{camera}_params_file'),
    }
    # Scoped, so that the settings of one include do not reach the other.
    return GroupAction(
        [
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(source), launch_arguments=given.items()
            )
        ],
        scoped=True,
    )


def include_cameras(context: LaunchContext) -> list[GroupAction]:
    """Return both nodes.

    They are included here, and not in the launch description, so that `--show-args` does not list
    arguments of dms.launch.py that each camera has of its own.

    Raises:
        ValueError: Both namespaces are equal, so that both nodes would have one name.

    """
    names = {LaunchConfiguration(f'{camera}_namespace').perform(context) for camera in CAMERAS}
    if len({name.strip('/') for name in names}) < len(CAMERAS):
        raise ValueError(
            f'left_namespace and right_namespace are both {names.pop()!r}: the nodes and their'
            ' topics would have the same names'
        )
    return [include(camera) for camera in CAMERAS]


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription([*declare_arguments(), OpaqueFunction(function=include_cameras)])
