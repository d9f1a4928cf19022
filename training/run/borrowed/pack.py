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

"""Packing a run into parts of a limited size, with the script that trains there."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import shutil
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from training.run.batches import check_sets
from training.run.borrowed import contents
from training.run.borrowed import start as start_script
from training.run.borrowed.layout import RUN_SESSION, SESSION
from training.run.borrowed.slices import Sliced
from training.run.config import RunConfig, load_config

#: Largest size of a part in bytes, and the name that the names of the parts begin with.
LIMIT_BYTES, ARCHIVE = 60_000_000, 'parts.tar.gz'


@dataclass(frozen=True)
class Session:
    """What trains on the borrowed machine in the place of one run's trainer.

    Attributes:
        module: Name of the module whose ``train_for(work, out, seconds, device)`` trains there.
        configs: Configurations whose critics are needed.
        exclude: List of training images to leave out, see `RunConfig`.
        entries: Further files, as names in the archive and bytes.

    """

    module: str
    configs: Sequence[RunConfig]
    exclude: str
    entries: Sequence[contents.Entry] = ()


def pack(
    config: Path,
    data: Path,
    out: Path,
    run: Path | None = None,
    limit_bytes: int = LIMIT_BYTES,
    session: Session | None = None,
) -> list[Path]:
    """Write the parts, their listing and the script.

    Args:
        config: YAML file of the borrowed run; its schedules will go by the time alone.
        data: Folder with MANIFEST.tsv.
        out: Folder to be made.
        run: Folder of the run to go on from; None for random weights.
        limit_bytes: Largest size of a part in bytes.
        session: What trains there, which then reads `config`; None for one run's trainer.

    Returns:
        The files' paths.

    Raises:
        FileNotFoundError: Config, faces, the run's checkpoint or a critic's weights are missing.
        ValueError: The folder holds files already, the config is wrong or does not fit the run, or
            an image or a critic cannot be packed.

    """
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"'{out}' holds files already; name a new folder")
    begin: Iterable[contents.Entry] = ()
    if session is None:
        loaded = load_config(config)
        check_sets(loaded)
        session, begin = Session(RUN_SESSION, [loaded], loaded.exclude), contents.start(run, loaded)
    lids = any(one.augmentation.lids > 0 for one in session.configs)
    # What can be missing comes before the faces, which take longest.
    entries = itertools.chain(
        begin,
        contents.critics(*session.configs),
        [(SESSION, session.module.encode()), *session.entries],
        contents.code(config),
        contents.faces(data, session.exclude, lids),
    )
    partial = out.with_name(out.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with (
        Sliced(partial, ARCHIVE, limit_bytes) as parts,
        gzip.GzipFile(fileobj=parts, mode='wb', compresslevel=6) as stream,
        tarfile.open(mode='w|', fileobj=stream) as archive,
    ):
        for name, content in tqdm(entries, desc='packing', unit='file'):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    listing = json.dumps({'slices': parts.listing()}, indent=1)
    (partial / start_script.LISTING).write_text(listing + '\n', encoding='utf-8')
    script = Path(start_script.__file__)
    shutil.copy(script, partial / script.name)
    partial.rename(out)
    return sorted(out.iterdir())
