"""Start two restorers for two cameras, each in a namespace of its own.

ros2 launch cfrnet_ros two_cameras.launch.py left_image:=/dms/driver/image_raw \
    right_image:=/dms/passenger/image_raw
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

CAMERAS = ('left', 'right')


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
    return [
        *arguments,
        DeclareLaunchArgument(
            'use_sim_time',
            default_value='false',
            choices=['true', 'false'],
            description='Take the time from /clock, for bags and simulators.',
        ),
    ]


def include(camera: str) -> GroupAction:
    """Return one camera's node in a process of its own, as `dms.launch.py` starts it."""
    source = PathJoinSubstitution([FindPackageShare('cfrnet_ros'), 'launch/dms.launch.py'])
    given = {
        'namespace': LaunchConfiguration(f'{camera}_namespace'),
        'image': LaunchConfiguration(f'{camera}_image'),
        'params_file': LaunchConfiguration(f'{camera}_params_file'),
        'use_sim_time': LaunchConfiguration('use_sim_time'),
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


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription([*declare_arguments(), *map(include, CAMERAS)])
