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

"""From readings to summaries, verdicts and results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='training needs PyTorch: make test-training')

from training.evaluation import bootstrap  # noqa: E402
from training.evaluation.figures import figures_to_reach  # noqa: E402
from training.evaluation.meters import Readings  # noqa: E402
from training.evaluation.protocol import MAIN, OTHER, TRUTH, coverage_for  # noqa: E402
from training.evaluation.records import (  # noqa: E402
    Curve,
    MeasuredModel,
    Results,
    Row,
    Spread,
)
from training.evaluation.results import (  # noqa: E402
    keep_curve,
    keep_models,
    keep_sets,
    read_earlier,
)
from training.evaluation.results_page import render_page  # noqa: E402
from training.evaluation.summary import summarise, summarise_all  # noqa: E402
from training.evaluation.work import FIXED_POINT, QUALITY  # noqa: E402

DOCS = Path(__file__).resolve().parents[3] / 'docs'


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


def test_the_main_model_gets_every_metric_and_slow_metrics_on_some_people() -> None:
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


def test_motion_blur_has_a_target_of_its_own() -> None:
    result = result_of(GOOD, GOOD, 40.0)
    for third, reached in ((0.31, False), (0.29, True)):
        lpips = [0.50, 0.40, 0.35, third]
        result.models['x_int8'].sets['motion'] = summarise(people(12, by_cycle(lpips=lpips)))
        found = figures_to_reach(result.main, result.models, result.fixed_point)
        motion = [verdict for verdict in found if verdict.name == 'motion']
        assert [(v.target, v.reached) for v in motion] == [('40%', reached)]


def test_a_set_is_added_to_earlier_results_of_the_same_files_only() -> None:
    earlier = result_of(GOOD, GOOD, 40.0)
    motion = {'motion': summarise(people(12, by_cycle(lpips=[0.5, 0.4, 0.3, 0.2])))}
    model = replace(earlier.models['x_int8'], sets=motion)
    measured = replace(earlier, models={'x_int8': model}, fixed_point={}, complete=False)
    result = keep_sets(measured, earlier)
    assert set(result.models['x_int8'].sets) == {'general', 'motion'}
    assert result.models['x_fp32'] == earlier.models['x_fp32']
    assert result.fixed_point == earlier.fixed_point
    assert result.complete
    assert len(result.figures) == 11
    other = replace(measured, models={'x_int8': replace(model, sha256='changed')})
    with pytest.raises(ValueError, match='not the file that was measured'):
        keep_sets(other, earlier)
    with pytest.raises(ValueError, match='another seed'):
        keep_sets(replace(measured, seed=2), earlier)
    with pytest.raises(ValueError, match='no earlier results'):
        keep_sets(measured, None)


def test_results_survive_the_file() -> None:
    result = result_of(GOOD, GOOD, 40.0)
    figures = figures_to_reach(result.main, result.models, result.fixed_point)
    result = replace(result, figures=figures)
    result.models['x_int8'].sets['general'].k['1']['kid'] = Spread(0.01, 0.002, 12)
    assert Results.read(json.loads(json.dumps(result.as_json()))) == result


def test_the_committed_page_is_made_of_the_committed_results() -> None:
    result = Results.read(json.loads((DOCS / 'results.json').read_text(encoding='utf-8')))
    assert render_page(result) == (DOCS / 'results.md').read_text(encoding='utf-8')


def test_a_damaged_file_of_results_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    assert read_earlier(tmp_path) is None
    (tmp_path / 'results.json').write_text('{"models": {}}')
    with pytest.raises(ValueError, match=r'results\.json.*move it away'):
        read_earlier(tmp_path)


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


def test_a_new_file_takes_the_place_of_the_earlier_one_of_its_name() -> None:
    earlier = result_of(GOOD, GOOD, 40.0)
    fresh = replace(earlier.models['x_fp32'], sha256='changed')
    measured = replace(
        earlier, models={'x_fp32': fresh}, fixed_point={}, labels={'x_fp32': 'New'}, complete=False
    )
    result = keep_models(measured, earlier)
    assert result.models['x_fp32'].sha256 == 'changed'
    assert result.models['x_int8'] == earlier.models['x_int8']
    assert result.labels['x_fp32'] == 'New'
    assert result.complete
    with pytest.raises(ValueError, match='further sets'):
        keep_models(replace(measured, models={'x_fp32': replace(fresh, sets={})}), earlier)
    with pytest.raises(ValueError, match='another seed'):
        keep_models(replace(measured, seed=2), earlier)


def test_a_new_main_file_is_judged_beside_the_earlier_ones_of_other_names() -> None:
    earlier = result_of(GOOD, GOOD, 40.0)
    worse = result_of(BAD, GOOD, 40.0).models['x_int8']
    measured = replace(
        earlier,
        models={'x_int8': replace(worse, sha256='changed')},
        fixed_point={},
        labels={},
        complete=False,
    )
    result = keep_models(measured, earlier)
    assert result.models['x_int8'].sha256 == 'changed'
    assert result.models['x_fp32'] == earlier.models['x_fp32']
    before = verdicts(earlier)
    reached = {verdict.figure: verdict.reached for verdict in result.figures}
    assert reached.keys() == before.keys()
    assert sum(reached.values()) < sum(before.values())
