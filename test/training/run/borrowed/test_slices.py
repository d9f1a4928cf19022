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

"""Files in slices: none is larger than allowed, and together they are the file."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from training.run.borrowed.slices import Sliced
from training.run.borrowed.start import Joined, check_slices

DATA = np.random.default_rng(0).bytes(10_000)


@pytest.mark.parametrize(
    ('limit', 'names'),
    [
        (3_000, ['f.1', 'f.2', 'f.3', 'f.4']),
        (5_000, ['f.1', 'f.2']),
        (10_000, ['f']),
        (99_999, ['f']),
    ],
)
@pytest.mark.parametrize('chunk', [1, 700, 10_000])
def test_slices_keep_the_limit_and_join_to_the_file(
    limit: int, names: list[str], chunk: int, tmp_path: Path
) -> None:
    with Sliced(tmp_path, 'f', limit) as stream:
        for begin in range(0, len(DATA), chunk):
            stream.write(DATA[begin : begin + chunk])
    assert [entry['file'] for entry in stream.listing()] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(path.stat().st_size <= limit for path in tmp_path.iterdir())
    paths = check_slices(stream.listing(), tmp_path)
    assert io.BufferedReader(Joined(paths)).read() == DATA


def test_an_archive_is_read_across_slices(tmp_path: Path) -> None:
    with (
        Sliced(tmp_path, 'a', 900) as stream,
        tarfile.open(mode='w|gz', fileobj=stream) as archive,
    ):
        entry = tarfile.TarInfo('inside')
        entry.size = len(DATA)
        archive.addfile(entry, io.BytesIO(DATA))
    paths = check_slices(stream.listing(), tmp_path)
    assert len(paths) > 10
    with tarfile.open(fileobj=io.BufferedReader(Joined(paths)), mode='r|gz') as archive:
        member = archive.next()
        assert member is not None
        content = archive.extractfile(member)
        assert content is not None
        assert content.read() == DATA


def test_every_missing_and_every_damaged_slice_is_named(tmp_path: Path) -> None:
    with Sliced(tmp_path, 'f', 3_000) as stream:
        stream.write(DATA)
    (tmp_path / 'f.2').unlink()
    (tmp_path / 'f.3').write_bytes(b'half of i')
    with pytest.raises(ValueError, match=r'f\.2 is missing; .*f\.3 is damaged\. Copy') as caught:
        check_slices(stream.listing(), tmp_path)
    assert 'f.1' not in str(caught.value)
    with pytest.raises(ValueError, match='at least one byte'):
        Sliced(tmp_path, 'f', 0)
