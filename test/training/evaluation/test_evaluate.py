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

"""The evaluation as a command: what it measures, keeps and writes."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.evaluation import cache  # noqa: E402
from training.evaluation.meters import Readings  # noqa: E402
from training.evaluation.page_tables import Column, cell  # noqa: E402
from training.evaluation.records import (  # noqa: E402
    Results,
)
from training.evaluation.results_page import render_page  # noqa: E402
from training.evaluation.schedule import do_units, list_units, read_results  # noqa: E402
from training.evaluation.work import QUALITY  # noqa: E402
from training.export.card import metrics_of  # noqa: E402
from training.tools.evaluate import main, make_request, output_folders, parse  # noqa: E402

MODELS = Path(__file__).resolve().parents[3] / 'cfrnet_ros' / 'models'
MAIN_MODEL = 'cfrnet_256_int8'


def test_a_chunk_survives_the_disk_and_damage_is_noticed(tmp_path: Path) -> None:
    stages = {'0': {'psnr': 20.0}, '1': {'psnr': 25.0}}
    written = [Readings(number, f'{number}.png', dict(stages)) for number in range(3)]
    written[1].features['1'] = np.arange(4, dtype=np.float16)
    path = tmp_path / 'a' / 'chunk.npz'
    cache.save(path, written, 1.5)
    loaded = cache.load(path)
    assert loaded is not None
    read, seconds = loaded
    assert seconds == 1.5
    assert [face.values for face in read] == [face.values for face in written]
    np.testing.assert_array_equal(read[1].features['1'], written[1].features['1'])
    assert os.listdir(path.parent) == ['chunk.npz']

    path.write_bytes(path.read_bytes()[:-30])
    assert cache.load(path) is None
    assert cache.load(tmp_path / 'absent.npz') is None


def arguments(faces: Path, tmp_path: Path, *extra: str) -> list[str]:
    given = ['--data', str(faces), '--models', str(MODELS), '--only', MAIN_MODEL, '--jobs', '1']
    given += ['--limit', '2', '--cache', str(tmp_path / 'cache'), '--out', str(tmp_path / 'docs')]
    return [*given, *extra]


def test_a_stopped_run_goes_on_where_it_was(
    faces: Path, tmp_path: Path, metric_weights: dict[str, str]
) -> None:
    request, _ = make_request(parse(arguments(faces, tmp_path, '--sets', 'mosaic')))
    units = list_units(request)
    with pytest.raises(RuntimeError, match='again'):
        read_results(units)
    assert do_units(units, jobs=1, threads=1) == 0
    results, _ = read_results(units)

    total = sum(len(unit.numbers) for unit in units)
    lost = next(unit for unit in units if unit.kind == QUALITY)
    lost.result.unlink()
    kept = {unit.result: unit.result.stat().st_mtime_ns for unit in units if unit is not lost}
    assert do_units(units, jobs=1, threads=1) == total - len(lost.numbers)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    again, _ = read_results(units)
    for task, found in results.items():
        assert [f.values for f in again[task]] == [f.values for f in found]

    one, _ = make_request(parse(arguments(faces, tmp_path, '--sets', 'mosaic', '--cycles', '2')))
    changed = {unit.result for unit in list_units(one) if unit.kind == QUALITY}
    assert not changed & {unit.result for unit in units}


def test_the_page_says_what_the_file_says(
    faces: Path,
    tmp_path: Path,
    metric_weights: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(arguments(faces, tmp_path, '--sets', 'general', 'real_lq'))
    out = tmp_path / 'docs'
    result = json.loads((out / 'results.json').read_text())
    page = (out / 'results.md').read_text()
    assert result['metric_weights_sha256'] == metric_weights
    assert not result['complete']
    assert 'partial run' in page

    sets = result['models'][MAIN_MODEL]['sets']
    assert list(sets['general']['k']) == [str(k) for k in range(7)]
    read = Results.read(result).models[MAIN_MODEL].sets['general']
    for k, row in sets['general']['k'].items():
        wanted = ['psnr', 'ssim', 'ms_ssim', 'lpips', 'dists', 'niqe', 'deg', 'fed', 'lmd']
        wanted += ['detected', 'eye_error', 'match', *(['residual'] if k != '0' else [])]
        assert set(wanted) <= set(row)
        line = next(text for text in page.splitlines() if text.startswith(f'| {k} | '))
        assert cell(read.k[k]['psnr'], Column('psnr', '', 2)) in line
        assert cell(read.k[k]['lpips'], Column('lpips', '', 3)) in line
    assert 'psnr' not in sets['real_lq']['k']['1']
    assert sets['real_lq']['k']['0']['deg']['mean'] == pytest.approx(0.0, abs=0.05)
    for figure in result['figures']:
        assert figure['measured'] in page
    assert len(result['figures']) == 8
    assert page == render_page(Results.read(result))

    clean = result['fixed_point'][MAIN_MODEL]['clean_everyone']
    assert list(clean['k']) == [str(k) for k in range(1, 17)]
    for name in re.findall(r'\]\((images/[^)]+)\)', page):
        assert (out / name).stat().st_size > 5000
    sheets = {path.name for path in (out / 'sheets').glob('*.jpg')}
    assert sheets == {'general.jpg', 'real_lq.jpg', 'clean.jpg'}
    with (out / 'sheets' / 'faces.csv').open(newline='') as stream:
        rows = [row for row in csv.DictReader(stream) if row['set'] == 'general']
    psnr = [float(r['value']) for r in rows if (r['metric'], r['stage']) == ('psnr', '1')]
    quality = [float(r['value']) for r in rows if r['kind'] == QUALITY and r['metric'] == 'psnr']
    assert len(psnr) >= 2
    assert len(quality) == 2 * 7
    assert 'figures are reached' in capsys.readouterr().out

    card = metrics_of(result, result['models'][MAIN_MODEL]['sha256'])
    expected = sets['general']['k']['2']['psnr']['mean']
    assert card['sets']['general']['k']['2']['psnr'] == pytest.approx(expected, abs=1e-4)
    assert 'psnr' not in card['sets']['real_lq']['k']['1']


def test_a_part_of_the_whole_never_replaces_the_results(faces: Path, tmp_path: Path) -> None:
    base = ['--data', str(faces), '--models', str(MODELS)]
    whole = parse(base)
    request, complete = make_request(whole)
    assert complete
    assert request.models[0].stem == MAIN_MODEL
    assert output_folders(whole, complete)[0] == Path('docs')
    assert Path('docs') not in output_folders(whole, complete)[1].parents
    for extra in (['--limit', '2'], ['--cycles', '3'], ['--sets', 'car'], ['--only', MAIN_MODEL]):
        args = parse([*base, *extra])
        complete = make_request(args)[1]
        assert not complete
        assert output_folders(args, complete)[0] == Path('runs/evaluation/partial')


def test_wrong_arguments_are_named(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(['--data', str(faces), '--cycles', '7'])
    assert '7' in capsys.readouterr().err
    base = ['--data', str(faces), '--models']
    with pytest.raises(SystemExit, match='make export'):
        main([*base, str(tmp_path)])
    with pytest.raises(SystemExit, match='cfrnet_9'):
        main([*base, str(MODELS), '--only', 'cfrnet_9'])
    twin = str(tmp_path / f'{MAIN_MODEL}.onnx')
    with pytest.raises(SystemExit, match='another'):
        main([*base, str(MODELS), '--without-ccfp', twin])
    with pytest.raises(SystemExit, match=r'MANIFEST\.tsv is missing'):
        main(['--data', str(tmp_path), '--models', str(MODELS)])
