from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from cfrnet_ros.vision.engine.models import shipped_models  # noqa: E402
from cfrnet_ros.vision.engine.providers import choose_providers  # noqa: E402
from cfrnet_ros.vision.restoration.restorer import Restorer  # noqa: E402
from training.data.crops import aligned  # noqa: E402
from training.data.manifest import read_manifest  # noqa: E402
from training.evaluation import bootstrap, cache  # noqa: E402
from training.evaluation.cases import CaseSet, has_real_faces  # noqa: E402
from training.evaluation.contact_sheet import contact_sheet, side_by_side  # noqa: E402
from training.evaluation.figures import figures_to_reach  # noqa: E402
from training.evaluation.meters import Meters, Readings  # noqa: E402
from training.evaluation.page_tables import Column, cell  # noqa: E402
from training.evaluation.protocol import MAIN, OTHER, SETS, TRUTH, coverage_for  # noqa: E402
from training.evaluation.records import (  # noqa: E402
    Curve,
    MeasuredModel,
    Results,
    Row,
    Spread,
)
from training.evaluation.results import keep_curve, read_earlier  # noqa: E402
from training.evaluation.results_page import render_page  # noqa: E402
from training.evaluation.runner import CycleRunner  # noqa: E402
from training.evaluation.schedule import do_units, list_units, read_results  # noqa: E402
from training.evaluation.sheets import ranked  # noqa: E402
from training.evaluation.summary import summarise, summarise_all  # noqa: E402
from training.evaluation.work import FIXED_POINT, QUALITY  # noqa: E402
from training.export.card import metrics_of  # noqa: E402
from training.tools.evaluate import main, make_request, output_folders, parse  # noqa: E402

MODELS = Path(__file__).resolve().parents[3] / 'cfrnet_ros' / 'models'
MAIN_MODEL = 'cfrnet_256_int8'


@pytest.fixture(scope='module')
def metric_weights() -> dict[str, str]:
    """Skip where the packages with the metrics' weights are not installed."""
    try:
        return Meters().weights()
    except (FileNotFoundError, ImportError) as error:
        pytest.skip(str(error))


def people(count: int, stages: Mapping[str, Mapping[str, float]]) -> list[Readings]:
    """Make people who differ from each other, but whose means are as told."""
    offsets = np.linspace(-0.1, 0.1, count)
    return [
        Readings(
            number,
            f'{number}.png',
            {s: {m: v * (1 + o) for m, v in values.items()} for s, values in stages.items()},
        )
        for number, o in enumerate(offsets)
    ]


def by_cycle(**metrics: list[float]) -> dict[str, dict[str, float]]:
    length = max(len(values) for values in metrics.values())
    return {
        str(k): {name: values[k] for name, values in metrics.items() if k < len(values)}
        for k in range(length)
    }


# --- running the models ---------------------------------------------------------------


@pytest.mark.parametrize('grey', [False, True], ids=['colour', 'grey'])
@pytest.mark.parametrize('name', sorted(shipped_models()))
def test_every_cycle_is_what_the_node_would_publish(faces: Path, name: str, grey: bool) -> None:
    crop = CaseSet(faces, 'car').case(0).degraded
    if grey:
        crop = np.repeat(crop[..., 1:2], 3, axis=2)
    path = shipped_models()[name]
    pictures, residuals = CycleRunner(path)(crop, 4)
    restorer = Restorer(path, choose_providers('cpu'), threads=1)
    for k in range(1, 5):
        restored = restorer.restore(crop, k)
        np.testing.assert_array_equal(pictures[k - 1], restored.crop)
    assert residuals == pytest.approx(restored.residuals, rel=1e-3)


def byte_model(path: Path, **card: Any) -> Path:
    """Write a uint8 NHWC model that exchanges the first and the last channel."""
    graph = helper.make_graph(
        [helper.make_node('Gather', ['face', 'order'], ['restored'], axis=3)],
        'test',
        [helper.make_tensor_value_info('face', TensorProto.UINT8, [1, 256, 256, 3])],
        [helper.make_tensor_value_info('restored', TensorProto.UINT8, [1, 256, 256, 3])],
        [numpy_helper.from_array(np.array([2, 1, 0]), 'order')],
    )
    opset = [helper.make_opsetid('', 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))
    stated = {'iterative': True, 'value_range': [0, 255], 'colour': 'BGR', **card}
    path.with_suffix('.json').write_text(json.dumps(stated))
    return path


@pytest.mark.parametrize('colour', ['RGB', 'BGR'])
def test_models_of_bytes_run_as_they_are(tmp_path: Path, colour: str) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    runner = CycleRunner(byte_model(tmp_path / 'bytes.onnx', colour=colour))
    (first, second), residuals = runner(crop, 2)
    np.testing.assert_array_equal(first, crop[..., ::-1])
    np.testing.assert_array_equal(second, crop)
    change = np.abs(crop.astype(float) - crop[..., ::-1]).mean() / 255
    assert residuals == pytest.approx([change, change], rel=1e-5)


def test_a_model_that_is_applied_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='iterative'):
        CycleRunner(byte_model(tmp_path / 'once.onnx', iterative=False))


# --- the test faces -------------------------------------------------------------------


def test_a_face_always_gets_the_same_degradation(faces: Path) -> None:
    for name in SETS:
        first, again = CaseSet(faces, name).case(1), CaseSet(faces, name).case(1)
        np.testing.assert_array_equal(first.degraded, again.degraded)
        assert first.truth is not None
        assert first.degraded.dtype == first.truth.dtype == np.uint8
        assert not np.array_equal(first.degraded, first.truth)
    one, other = (CaseSet(faces, 'general').case(n).degraded for n in (0, 1))
    assert not np.array_equal(one, other)


def test_clean_faces_are_not_touched(faces: Path) -> None:
    case = CaseSet(faces, 'clean').case(2)
    crop = aligned(read_manifest(faces, 'test')[2])
    np.testing.assert_array_equal(case.degraded, crop)
    assert case.truth is case.degraded


def test_real_faces_come_from_their_own_list_and_have_no_truth(faces: Path, tmp_path: Path) -> None:
    real = CaseSet(faces, 'real_lq')
    assert [real.case(n).file for n in range(len(real))] == ['real0.png', 'real1.png']
    assert real.case(0).truth is None
    assert real.case(0).degraded.shape == (256, 256, 3)

    (tmp_path / 'MANIFEST.tsv').write_text((faces / 'MANIFEST.tsv').read_text())
    assert not has_real_faces(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'SOURCES\.tsv'):
        CaseSet(tmp_path, 'real_lq')
    with pytest.raises(ValueError, match='unknown set'):
        CaseSet(faces, 'night')


# --- means and intervals --------------------------------------------------------------


def test_the_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(5).normal(10.0, 2.0, 400)
    found = bootstrap.mean(values.tolist())
    low, high = found.ci95
    assert found.mean == pytest.approx(values.mean())
    # The normal approximation: 1.96 standard errors to either side.
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.1)
    assert bootstrap.mean([3.0] * 9).ci95 == (3.0, 3.0)
    assert bootstrap.mean([1.0, float('nan'), 3.0]).people == 2
    with pytest.raises(ValueError, match='no figure'):
        bootstrap.mean([float('nan')])


def test_stages_are_compared_person_by_person() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(30.0, 5.0, 200)
    after = before + rng.normal(0.2, 0.1, 200)
    found = bootstrap.difference(after.tolist(), before.tolist())
    # People differ by 5 dB, the gain by 0.1: unpaired, 0.2 dB could not be told from none.
    assert 0.17 < found.ci95[0] < found.value < found.ci95[1] < 0.23
    halved = bootstrap.reduction((before / 2).tolist(), before.tolist())
    assert halved.value == pytest.approx(0.5)
    assert halved.ci95 == pytest.approx((0.5, 0.5))
    with pytest.raises(ValueError, match='same people'):
        bootstrap.difference([1.0, 2.0], [1.0])


# --- what is measured where -----------------------------------------------------------


def test_the_main_model_gets_every_metric_and_dear_ones_on_some_people() -> None:
    coverage = coverage_for('car', main=True, input_measured=False)
    assert coverage is MAIN
    assert set(OTHER.shares) < set(MAIN.shares)
    for k in range(7):
        assert MAIN.covers('lpips', 4, str(k))
        assert MAIN.covers('dists', 5, str(k))
        assert not MAIN.covers('dists', 4, str(k))
    assert MAIN.covers('niqe', 0, TRUTH)
    assert not MAIN.covers('lpips', 0, TRUTH)
    other = coverage_for('general', main=False, input_measured=True)
    assert other is not None
    assert not other.covers('psnr', 0, '0')
    assert other.covers('psnr', 0, '6')
    assert coverage_for('real_lq', main=False, input_measured=True) is None


def test_other_models_share_the_input_of_the_same_people() -> None:
    everyone = people(6, by_cycle(psnr=[20.0, 25.0], dists=[0.4, 0.3], niqe=[9.0, 8.0]))
    other = people(6, {'1': {'psnr': 26.0}})
    other[0].values['1']['dists'] = 0.2
    results = {
        (QUALITY, 'a_int8', 'general'): everyone,
        (QUALITY, 'a_fp32', 'general'): other,
    }
    tables, _ = summarise_all(results, 'a_int8')
    table = tables['a_fp32']['general']
    assert table.k['0']['psnr'] == tables['a_int8']['general'].k['0']['psnr']
    assert table.k['0']['dists'].people == 1
    assert 'niqe' not in table.k['0']
    # A constant factor on every person: the paired interval knows it.
    assert table.contrasts['psnr_1_minus_0'].value == pytest.approx(6.0)


def test_distances_of_distributions_need_people(metric_weights: dict[str, str]) -> None:
    rng = np.random.default_rng(0)

    def crowd(count: int, shift: float) -> list[Readings]:
        found = people(count, {'1': {'psnr': 20.0}})
        for face in found:
            face.features['1'] = (rng.normal(0, 1, 64) + shift).astype(np.float16)
            face.features[TRUTH] = rng.normal(0, 1, 64).astype(np.float16)
        return found

    def measured(count: int, shift: float) -> Row:
        table = summarise_all({(QUALITY, 'a', 'general'): crowd(count, shift)}, 'a')[0]
        return table['a']['general'].k['1']

    near, far = measured(60, 0.0)['kid'], measured(60, 1.0)['kid']
    assert abs(near.mean) < 0.1 * far.mean
    assert 'kid' not in measured(20, 0.0)


def test_curves_are_drawn_of_the_same_people() -> None:
    stages = {str(k): {'psnr_to_start': 40.0 - k, 'residual': 0.01} for k in range(1, 17)}
    everyone = people(9, stages)
    some = [face for face in people(9, stages) if face.number % 5 == 0]
    results = {(FIXED_POINT, 'a', 'clean'): everyone, (FIXED_POINT, 'b', 'clean'): some}
    _, curves = summarise_all(results, 'a')
    assert curves['a']['clean'].faces == curves['b']['clean'].faces == 2
    assert curves['a']['clean_everyone'].faces == 9
    assert curves['a']['clean'].k['16'] == curves['b']['clean'].k['16']


# --- the figures to reach -------------------------------------------------------------


def result_of(
    int8: dict[str, list[float]], fp32: dict[str, list[float]], clean_db: float
) -> Results:
    clean: dict[str, Row] = {'16': {'psnr_to_start': bootstrap.mean([clean_db] * 4)}}
    models = {
        name: MeasuredModel(name, name, {'general': summarise(people(12, by_cycle(**figures)))})
        for name, figures in (('x_int8', int8), ('x_fp32', fp32))
    }
    return Results(
        command='',
        complete=True,
        seed=1,
        cycles=6,
        people=12,
        manifest_sha256='a',
        software={},
        metric_weights_sha256={},
        highest_psnr_db=60.0,
        main='x_int8',
        labels={'x_int8': 'INT8', 'x_fp32': 'FP32'},
        without_ccfp='',
        plans={},
        models=models,
        fixed_point={'x_int8': {'clean_everyone': Curve(4, clean)}},
    )


GOOD = {
    'psnr': [25.0, 29.2, 29.6, 29.5, 29.4, 29.3, 29.2],
    'lpips': [0.50, 0.32, 0.25, 0.20, 0.19, 0.19, 0.19],
    'deg': [40.0, 30.0, 29.0, 29.0],
    'lmd': [0.05, 0.03, 0.03, 0.03],
}
BAD = {
    'psnr': [25.0, 29.0, 28.9, 28.0, 27.0, 26.0, 25.0],
    'lpips': [0.50, 0.40, 0.38, 0.36, 0.36, 0.36, 0.36],
    'deg': [40.0, 39.0, 41.0, 42.0],
    'lmd': [0.05, 0.03, 0.04, 0.06],
}


def verdicts(result: Results) -> dict[str, bool]:
    found = figures_to_reach(result.main, result.models, result.fixed_point)
    return {verdict.figure: verdict.reached for verdict in found}


def test_good_figures_are_reached_and_bad_ones_are_not() -> None:
    near = {**GOOD, 'lpips': [v + 0.009 for v in GOOD['lpips']]}
    good = verdicts(result_of(GOOD, near, 38.2))
    assert len(good) == 10
    assert all(good.values()), good
    far = {'psnr': [v + 0.4 for v in BAD['psnr']], 'lpips': [v - 0.02 for v in BAD['lpips']]}
    bad = verdicts(result_of(BAD, far, 37.9))
    assert set(bad) == set(good)
    assert not any(bad.values()), bad


def test_one_late_cycle_spoils_what_all_cycles_are_to_keep() -> None:
    falling = {**GOOD, 'psnr': [*GOOD['psnr'][:6], 29.05]}
    found = verdicts(result_of(falling, GOOD, 40.0))
    assert not found['PSNR, worst k of 1..6 below the best']
    assert found['PSNR, best k']
    worse = {**GOOD, 'deg': [40.0, 30.0, 29.0, 40.1]}
    found = verdicts(result_of(worse, GOOD, 40.0))
    assert not found['Identity distance, degrees, k=1..3 against the degraded input']


def test_a_first_cycle_that_does_it_all_counts_if_the_third_is_better_still() -> None:
    name = 'LPIPS, k=3 below k=1'
    at_once = {**GOOD, 'lpips': [0.50, 0.20, 0.19, 0.18]}
    assert verdicts(result_of(at_once, GOOD, 40.0))[name]
    then_worse = {**GOOD, 'lpips': [0.50, 0.20, 0.19, 0.21]}
    assert not verdicts(result_of(then_worse, GOOD, 40.0))[name]


def test_what_was_not_measured_is_not_judged() -> None:
    result = replace(result_of(GOOD, GOOD, 40.0), fixed_point={})
    del result.models['x_fp32']
    found = verdicts(result)
    assert len(found) == 7
    assert verdicts(replace(result, main='y_int8')) == {}


def test_results_survive_the_file() -> None:
    result = result_of(GOOD, GOOD, 40.0)
    figures = figures_to_reach(result.main, result.models, result.fixed_point)
    result = replace(result, figures=figures)
    result.models['x_int8'].sets['general'].k['1']['kid'] = Spread(0.01, 0.002, 12)
    assert Results.read(json.loads(json.dumps(result.as_json()))) == result


def test_the_committed_page_is_made_of_the_committed_results() -> None:
    docs = MODELS.parents[1] / 'docs'
    result = Results.read(json.loads((docs / 'results.json').read_text(encoding='utf-8')))
    assert render_page(result) == (docs / 'results.md').read_text(encoding='utf-8')


def test_a_damaged_file_of_results_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    assert read_earlier(tmp_path) is None
    (tmp_path / 'results.json').write_text('{"models": {}}')
    with pytest.raises(ValueError, match=r'results\.json.*move it away'):
        read_earlier(tmp_path)


# --- the cache ------------------------------------------------------------------------


def test_a_chunk_survives_the_disk_and_damage_is_noticed(tmp_path: Path) -> None:
    written = people(3, by_cycle(psnr=[20.0, 25.0]))
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


# --- the command ----------------------------------------------------------------------


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


def test_the_curve_of_weights_that_do_not_ship_is_kept_if_it_is_of_the_same_people() -> None:
    curves = [{'clean': Curve(n, {})} for n in range(3)]
    earlier = replace(
        result_of(GOOD, GOOD, 40.0),
        without_ccfp='single',
        labels={'single': 'Single cycle', 'net': 'Old'},
        fixed_point={'single': curves[0], 'net': curves[1]},
    )
    measured = replace(
        earlier, without_ccfp='', labels={'net': 'New'}, fixed_point={'net': curves[2]}
    )
    result = keep_curve(measured, earlier)
    assert result.without_ccfp == 'single'
    assert result.labels == {'net': 'New', 'single': 'Single cycle'}
    assert result.fixed_point == {'net': curves[2], 'single': curves[0]}

    assert keep_curve(measured, None) == measured
    for other in (
        replace(measured, seed=2),
        replace(measured, people=2),
        replace(measured, manifest_sha256='b'),
    ):
        assert keep_curve(other, earlier) == other


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


# --- contact sheets -------------------------------------------------------------------


def test_the_worst_the_median_and_the_best_are_shown() -> None:
    crowd = [Readings(n, f'{n}.png', {'2': {'lpips': 0.01 * n}}) for n in range(100)]
    chosen = ranked(crowd, '2')
    assert chosen['worst'] == list(range(99, 91, -1))
    assert chosen['best'] == list(range(7, -1, -1))
    assert len(chosen['median']) == 8
    assert np.mean(chosen['median']) == pytest.approx(49.5)
    assert sum(map(len, ranked(crowd[:7], '2').values())) == 6


def test_a_sheet_has_room_for_titles_and_captions() -> None:
    red = np.full((20, 20, 3), (0, 0, 255), np.uint8)
    plain = contact_sheet([[red, red]] * 3, ['a', 'b'], tile=64)
    told = contact_sheet([[red, red]] * 3, ['a', 'b'], tile=64, captions=['x', 'y', 'z'])
    assert plain.shape[1] == told.shape[1] == 128
    assert (plain[-64:] == red[0, 0]).all()
    band = (len(told) - len(plain)) // 3
    assert (told[band : 2 * band, :20] < 128).any()
    both = side_by_side([plain, told], gap=10)
    assert both.shape == (len(told), 128 + 10 + 128, 3)
    assert (both[-1, :128] == 255).all()
    with pytest.raises(ValueError, match='captions'):
        contact_sheet([[red, red]], ['a', 'b'], captions=['x', 'y'])
    with pytest.raises(ValueError, match='pictures'):
        contact_sheet([[red]], ['a', 'b'])
