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

"""The project's files that a module is made of, found by following its imports statically."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from modulefinder import ModuleFinder
from pathlib import Path

#: Packages whose files belong to this project; what else is imported is known by its version.
PACKAGES = ('training', 'cfrnet_ros')


def project_files(module: str, root: Path, packages: Sequence[str] = PACKAGES) -> list[Path]:
    """List the project's files that a module imports, itself and packages' ``__init__`` included.

    Nothing is run: the files' code is searched for import statements, those inside functions and
    conditions too.

    Args:
        module: Dotted name, for instance 'training.evaluation.work'.
        root: Folder that holds the packages.
        packages: Top-level packages of the project.

    Returns:
        The files' paths, sorted.

    Raises:
        FileNotFoundError: The module, or one that is imported from it, has no file under `root`.

    """
    # With this one folder on its path the finder meets the project's modules alone.
    finder = ModuleFinder(path=[str(root)])
    try:
        finder.import_hook(module)
    except ImportError as error:
        raise FileNotFoundError(
            f"the module '{module}' has no file under '{root}' ({error}); restore the file, or "
            'name the module that took its place'
        ) from error
    missing = [name for name in finder.any_missing() if name.split('.')[0] in packages]
    if missing:
        importers = {name: ', '.join(sorted(finder.badmodules[name])) for name in missing}
        raise FileNotFoundError(
            f"these modules of the project have no file under '{root}': "
            + '; '.join(f'{name} (imported by {by})' for name, by in sorted(importers.items()))
            + '. Restore the files, or correct the imports'
        )
    # Types of the standard library do not state this attribute.
    paths = (getattr(found, '__file__', None) for found in finder.modules.values())
    return sorted(Path(path) for path in paths if path)


def files_sha256(module: str, root: Path, packages: Sequence[str] = PACKAGES) -> str:
    """Return one hash over the names and contents of a module's `project_files`.

    Raises:
        FileNotFoundError: See `project_files`.

    """
    digest = hashlib.sha256()
    for file in project_files(module, root, packages):
        digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()
