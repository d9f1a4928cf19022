"""Start the restorer for a driver-monitoring camera.

ros2 launch cfrnet_ros dms.launch.py image:=/dms/image_raw cycles:=3
ros2 launch cfrnet_ros dms.launch.py --show-args
"""

from __future__ import annotations

from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription

BOOLEANS = ['true', 'false']

#: Parameters of the node that the command line may override, with their types. An empty
#: argument leaves the params file's value.
OVERRIDES: dict[str, type] = {
    'image_transport': str,
    'cycles': int,
    'provider': str,
    'model': str,
    'detector_model': str,
    'autostart': bool,
}


def declare_arguments() -> list[DeclareLaunchArgument]:
    """List the arguments, as `--show-args` prints them."""
    return [
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of the node and its topics.'
        ),
        DeclareLaunchArgument(
            'name', default_value='cfrnet', description='Name of the node; its topics start so.'
        ),
        DeclareLaunchArgument(
            'image',
            default_value='image',
            description='Topic of the camera (sensor_msgs/Image). With image_transport:='
            'compressed still the name without /compressed.',
        ),
        DeclareLaunchArgument(
            'params_file',
            default_value=PathJoinSubstitution([FindPackageShare('cfrnet_ros'), 'config/dms.yaml']),
            description='YAML file with the parameters, keyed /**.',
        ),
        DeclareLaunchArgument(
            'image_transport',
            default_value='',
            choices=['', 'raw', 'compressed'],
            description="'raw' or 'compressed'; empty: as in params_file.",
        ),
        DeclareLaunchArgument(
            'cycles',
            default_value='',
            choices=['', *map(str, range(1, 9))],
            description='How often the restorer is applied, 1 to 8; empty: as in params_file.',
        ),
        DeclareLaunchArgument(
            'provider',
            default_value='',
            description='Execution providers in order of preference, such as openvino,cpu; empty:'
            ' as in params_file.',
        ),
        DeclareLaunchArgument(
            'model',
            default_value='',
            description=(
                'auto, fp32, int8, plain or the path of an ONNX file; empty: as in params_file.'
            ),
        ),
        DeclareLaunchArgument(
            'detector_model',
            default_value='',
            description='Path of a YuNet ONNX file; empty: as in params_file.',
        ),
        DeclareLaunchArgument(
            'autostart',
            default_value='',
            choices=['', *BOOLEANS],
            description='Whether the node activates itself; empty: as in params_file.',
        ),
        DeclareLaunchArgument(
            'use_sim_time',
            default_value='false',
            choices=BOOLEANS,
            description='Take the time from /clock, for bags and simulators.',
        ),
        DeclareLaunchArgument(
            'log_level',
            default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='Log level of the node.',
        ),
        DeclareLaunchArgument(
            'large_images',
            default_value='false',
            choices=BOOLEANS,
            description='Set FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA, for when Fast DDS loses most'
            ' of the images. Every process must then have it, the camera driver and the terminals'
            ' with ros2 param and ros2 topic too: those without it are not seen.',
        ),
    ]


def make_node(context: LaunchContext) -> list[Node]:
    """Describe the node: the params file first, then only what was really given."""
    given: dict[str, Any] = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in OVERRIDES.items()
        if LaunchConfiguration(name).perform(context) != ''
    }
    given['use_sim_time'] = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    return [
        Node(
            package='cfrnet_ros',
            executable='restorer',
            name=LaunchConfiguration('name'),
            namespace=LaunchConfiguration('namespace'),
            parameters=[LaunchConfiguration('params_file'), given],
            remappings=[('image', LaunchConfiguration('image'))],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            output='screen',
            emulate_tty=True,
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Describe the launch."""
    return LaunchDescription(
        [
            *declare_arguments(),
            SetEnvironmentVariable(
                'FASTDDS_BUILTIN_TRANSPORTS',
                'LARGE_DATA',
                condition=IfCondition(LaunchConfiguration('large_images')),
            ),
            OpaqueFunction(function=make_node),
        ]
    )
