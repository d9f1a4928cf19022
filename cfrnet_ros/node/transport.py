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

"""Transport of the images: a profile of Fast DDS with which large images arrive.

Nothing of ROS is imported, so that a process can choose its profile before it creates a context:
Fast DDS reads its environment variables once, at the first context.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROFILES = Path(__file__).resolve().parent / 'fastdds'
#: Profile of a node that receives the images of other people's camera drivers.
NODE_PROFILE = _PROFILES / 'node.xml'
#: Profile of processes that all use it: those of a replay.
BOTH_SIDES_PROFILE = _PROFILES / 'both_sides.xml'

FAST_DDS = ('rmw_fastrtps_cpp', 'rmw_fastrtps_dynamic_cpp')
_BUILTIN = 'FASTDDS_BUILTIN_TRANSPORTS'
#: Variables that name a file with profiles: of Fast DDS 3, and of Fast DDS 2 up to ROS 2 Jazzy.
_FILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
#: Files with profiles that Fast DDS reads from the working directory.
_FILES_IN_FOLDER = ('DEFAULT_FASTDDS_PROFILES.xml', 'DEFAULT_FASTRTPS_PROFILES.xml')

_LIMIT_FILE = Path('/proc/sys/net/core/rmem_max')
#: UDP receive buffer in bytes with which images of 1920 x 1080 x 3 bytes arrive: 40 of 40, 8 of
#: 40 with a quarter of it, 1 of 40 with 212992, a common limit of older kernels.
ENOUGH_BYTES = 4 << 20
#: Limit that is recommended, in bytes: more than an image of 3840 x 2160 x 3 bytes.
_RECOMMENDED_BYTES = 32 << 20

#: Setting of Fast DDS, for camera and node, with which images need no large receive buffer.
SHARED_MEMORY = f"{_BUILTIN}='DEFAULT?max_msg_size=65500&sockets_size=16MB'"


@dataclass(frozen=True)
class Transport:
    """How the images reach this process.

    Attributes:
        name: Transport in a few words.
        needs: What the camera's side needs, as half a sentence.
        remedy: What to do if images get lost, in the imperative.
        too_small: Whether large images are known to get lost.

    """

    name: str
    needs: str
    remedy: str
    too_small: bool = False

    def __str__(self) -> str:
        """Return the line for the log."""
        return f'transport: {self.name}; {self.needs}'


def choose_profile(profile: Path) -> None:
    """Use a profile of Fast DDS in this process and in those that it starts.

    Nothing happens if transports have been chosen already: by one of Fast DDS's environment
    variables or files, or by another middleware.

    Args:
        profile: `NODE_PROFILE` or `BOTH_SIDES_PROFILE`.

    """
    if os.environ.get(_BUILTIN) or _profiles_file():
        return
    if os.environ.get('RMW_IMPLEMENTATION', FAST_DDS[0]) in FAST_DDS:
        # Newer versions warn of the older name.
        os.environ[_FILES[os.environ.get('ROS_DISTRO') == 'jazzy']] = str(profile)


def describe(middleware: str) -> Transport:
    """Describe how the images reach this process.

    Args:
        middleware: Name of the ROS middleware, such as 'rmw_fastrtps_cpp'.

    """
    if middleware not in FAST_DDS:
        return Transport(
            name=middleware,
            needs='the camera needs the same RMW_IMPLEMENTATION',
            remedy=f'see what the documentation of {middleware} says of large messages',
        )
    if builtin := os.environ.get(_BUILTIN):
        return _describe_builtin(builtin)
    file = _profiles_file()
    if file == str(NODE_PROFILE):
        return _describe_own(receive_limit())
    if file and file != str(BOTH_SIDES_PROFILE):
        return Transport(
            name=f'Fast DDS with the profiles of {file}',
            needs='the camera needs transports that fit them',
            remedy='enlarge receiveBufferSize of UDP for this node, or segment_size of shared'
            ' memory for the camera',
        )
    return Transport(
        name='large shared memory' if file else 'Fast DDS with its default transports',
        needs=f'the camera needs {SHARED_MEMORY}',
        remedy=f'set {SHARED_MEMORY} for the camera',
    )


def receive_limit() -> int | None:
    """Return the largest UDP receive buffer in bytes that Linux grants; None if unknown."""
    try:
        return int(_LIMIT_FILE.read_text())
    except (OSError, ValueError):
        return None


def _describe_own(limit: int | None) -> Transport:
    remedy = (
        f'sudo sysctl -w net.core.rmem_max={_RECOMMENDED_BYTES} on the machine of this node, then'
        f' start it again; or {SHARED_MEMORY} for camera and node'
    )
    if limit is None or limit >= ENOUGH_BYTES:
        size = 'the largest' if limit is None else f'a {limit / 2**20:.3g} MiB'
        return Transport(
            name=f'UDP with {size} receive buffer',
            needs=f'the camera needs no settings ({_BUILTIN}=LARGE_DATA would hide it)',
            remedy=remedy,
        )
    return Transport(
        name=f'UDP with a {limit / 2**20:.2g} MiB receive buffer, too small for large images',
        needs=f'the camera needs no settings, but this machine: {remedy}',
        remedy=remedy,
        too_small=True,
    )


def _describe_builtin(builtin: str) -> Transport:
    name = f'{_BUILTIN}={builtin}'
    if builtin.startswith('LARGE_DATA'):
        return Transport(
            name=name,
            needs='the camera needs the same, as processes without it are not seen',
            remedy=f'set {_BUILTIN}=LARGE_DATA for the camera as well',
        )
    return Transport(
        name=name,
        needs=f'the camera needs {SHARED_MEMORY}',
        remedy=f'unset {_BUILTIN} for this node, or set {SHARED_MEMORY} for camera and node',
    )


def _profiles_file() -> str:
    """Return the file whose profiles Fast DDS reads; '' if there is none."""
    for variable in _FILES:
        if file := os.environ.get(variable):
            return file
    return next((name for name in _FILES_IN_FOLDER if Path(name).is_file()), '')
