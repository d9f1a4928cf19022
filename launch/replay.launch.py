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

"""Play a bag into the restorer.

ros2 launch cfrnet_ros replay.launch.py bag:=/data/drive_01 image:=/dms/image_raw cycles:=3

It needs ros2bag, which `CFRNET_REPLAY=1 rosdep install ...` installs with the rest of the replay.
"""

from __future__ import annotations

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchContext, LaunchDescription

BOOLEANS = ['true', 'false']


def is_true(context: LaunchContext, name: str) -> bool:
    """Return whether a boolean argument was given as true."""
    return LaunchConfiguration(name).perform(context).lower() == 'true'


def declare_arguments() -> list[DeclareLaunchArgument]:
    """Return the arguments of the player, in addition to those of dms.launch.py."""
    return [
        DeclareLaunchArgument(
            'bag', description='Bag to play: its folder, or a .mcap or .db3 file.'
        ),
        DeclareLaunchArgument(
            'rate',
            default_value='1.0',
            description='Speed of the replay; 1.0 is the speed of recording.',
        ),
        DeclareLaunchArgument(
            'clock',
            default_value='100',
            description="Rate in Hz of /clock, which carries the bag's time; 0 for no /clock.",
        ),
        DeclareLaunchArgument(
            'loop',
            default_value='false',
            choices=BOOLEANS,
            description='Repeat the bag without end.',
        ),
        DeclareLaunchArgument(
            'start_delay',
            default_value='5.0',
            description='Seconds to wait before playing, and before each repetition with loop,'
            ' while'
            ' the node loads its models.',
        ),
        DeclareLaunchArgument(
            'use_sim_time',
            default_value='true',
            choices=BOOLEANS,
            description='Take the time from /clock, so that images keep the age that they had'
            ' when recorded.',
        ),
    ]


def check_arguments(context: LaunchContext) -> None:
    """Refuse arguments that cannot work together, before any process is started."""
    bag = Path(LaunchConfiguration('bag').perform(context)).expanduser()
    if not bag.exists():
        raise ValueError(f"bag: there is no folder or file '{bag}'")
    clock = float(LaunchConfiguration('clock').perform(context))
    if clock <= 0 and is_true(context, 'use_sim_time'):
        raise ValueError(
            'with clock:=0 nothing publishes /clock: the node needs use_sim_time:=false'
        )


def end_launch(event: ProcessExited, context: LaunchContext) -> list[Shutdown]:
    """End the launch with the player.

    Raises:
        RuntimeError: The player failed. Launch logs the text, stops the node and returns 1.

    """
    if event.returncode != 0 and not context.is_shutdown:
        raise RuntimeError(f'ros2 bag play failed with exit code {event.returncode}')
    return [Shutdown(reason='the bag has ended')]


def make_player(context: LaunchContext) -> list[ExecuteProcess | RegisterEventHandler]:
    """Return `ros2 bag play`, whose end also ends the launch, with an error if it failed."""
    bag = Path(LaunchConfiguration('bag').perform(context)).expanduser()
    clock = float(LaunchConfiguration('clock').perform(context))
    command = ['ros2', 'bag', 'play', str(bag), '--disable-keyboard-controls']
    command += ['--rate', LaunchConfiguration('rate')]
    if float(LaunchConfiguration('start_delay').perform(context)) > 0:
        command += ['--delay', LaunchConfiguration('start_delay')]
    if clock > 0:
        command += ['--clock', LaunchConfiguration('clock')]
    if is_true(context, 'loop'):
        command += ['--loop']
    player = ExecuteProcess(cmd=command, output='screen')
    ended = RegisterEventHandler(OnProcessExit(target_action=player, on_exit=end_launch))
    return [ended, player]


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([FindPackageShare('cfrnet_ros'), 'launch/dms.launch.py'])
        )
    )
    return LaunchDescription(
        [
            *declare_arguments(),
            OpaqueFunction(function=check_arguments),
            node,
            OpaqueFunction(function=make_player),
        ]
    )
