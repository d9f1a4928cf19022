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

"""The figures that the weights were to reach, and whether they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from training.evaluation.bootstrap import Contrast, Mean
from training.evaluation.protocol import CLEAN, SETS
from training.evaluation.records import Curve, MeasuredModel, Summary, Verdict

#: Sets on which everything is to be reached. Motion blur alone has a target of its own.
WHOLLY_JUDGED, MOTION = SETS[:3], SETS[3]

#: The targets. LPIPS: reduction from k=1 to k=3 and from the input to k=3. PSNR: the most
#: that any k may lie below the best. INT8 against FP32. A clean face restored 16 times.
LPIPS_3_BELOW_1 = 0.31
LPIPS_3_BELOW_0 = 0.55
MOTION_LPIPS_3_BELOW_0 = 0.40
PSNR_SPREAD_DB = 0.5
INT8_LPIPS, INT8_PSNR_DB = 0.01, 0.3
CLEAN_CYCLES, CLEAN_PSNR_DB = 16, 38.0


def figures_to_reach(
    main: str,
    models: Mapping[str, MeasuredModel],
    fixed_point: Mapping[str, Mapping[str, Curve]],
) -> list[Verdict]:
    """Compare the measured figures with the targets.

    Args:
        main: Name of the model that everything was measured of.
        models: Measured models by name.
        fixed_point: Curves by model and by what was restored.

    Returns:
        The figures that could be told from what was measured.

    """
    sets = models[main].sets if main in models else {}
    other = main.replace('int8', 'fp32')
    counterpart = models[other].sets if other in models else {}
    checks: tuple[Callable[[str, Summary], Verdict | None], ...] = (
        _lpips_3_below_1,
        _lpips_3_below_0,
        _psnr_best_late,
        _psnr_2_above_1,
        _psnr_holds,
        lambda name, entry: _against_input(name, entry, 'deg', 'Identity distance, degrees', 1.0),
        lambda name, entry: _against_input(name, entry, 'lmd', 'Landmark error (LMD), %', 100.0),
    )
    judged = [name for name in WHOLLY_JUDGED if name in sets]
    found = [check(name, sets[name]) for check in checks for name in judged]
    if MOTION in sets:
        found.append(_lpips_3_below_0(MOTION, sets[MOTION], MOTION_LPIPS_3_BELOW_0))
    if 'int8' in main:
        for metric, limit, unit in (('lpips', INT8_LPIPS, ''), ('psnr', INT8_PSNR_DB, ' dB')):
            found += [
                _int8(name, sets[name], counterpart[name], metric, limit, unit)
                for name in judged
                if name in counterpart
            ]
    found.append(_clean_stays(fixed_point.get(main, {}).get('clean_everyone')))
    return [verdict for verdict in found if verdict is not None]


def _means(entry: Summary, metric: str) -> dict[int, float]:
    return {int(k): row[metric].mean for k, row in entry.k.items() if metric in row}


def _interval(contrast: Contrast, scale: float, digits: int) -> str:
    low, high = (value * scale for value in contrast.ci95)
    return f'({low:.{digits}f}..{high:.{digits}f})'


def _lpips_3_below_1(name: str, entry: Summary) -> Verdict | None:
    contrast = entry.contrasts.get('lpips_3_below_1')
    if contrast is None:
        return None
    at_first = entry.contrasts.get('lpips_1_below_0')
    first = at_first.value if at_first is not None else 0.0
    directly = contrast.value >= LPIPS_3_BELOW_1
    # A network that does nearly everything in one cycle leaves nothing to the later ones.
    at_once = first >= LPIPS_3_BELOW_0 and contrast.value > 0.0
    measured = f'{100 * contrast.value:.1f}% {_interval(contrast, 100, 1)}'
    measured += f'; k=1 is {100 * first:.1f}% below the input'
    return Verdict(
        'LPIPS, k=3 below k=1',
        f'{100 * LPIPS_3_BELOW_1:.0f}%, or k=1 already {100 * LPIPS_3_BELOW_0:.0f}% below the '
        'input and k=3 lower still',
        name,
        measured,
        directly or at_once,
    )


def _lpips_3_below_0(name: str, entry: Summary, target: float = LPIPS_3_BELOW_0) -> Verdict | None:
    contrast = entry.contrasts.get('lpips_3_below_0')
    if contrast is None:
        return None
    return Verdict(
        'LPIPS, k=3 below the degraded input',
        f'{100 * target:.0f}%',
        name,
        f'{100 * contrast.value:.1f}% {_interval(contrast, 100, 1)}',
        contrast.value >= target,
    )


def _restored_psnr(entry: Summary) -> dict[int, float]:
    return {k: value for k, value in _means(entry, 'psnr').items() if k > 0}


def _psnr_best_late(name: str, entry: Summary) -> Verdict | None:
    psnr = _restored_psnr(entry)
    if len(psnr) < 2:
        return None
    best = max(psnr, key=lambda k: psnr[k])
    return Verdict(
        'PSNR, best k', 'k=2 or later', name, f'k={best}, {psnr[best]:.2f} dB', best >= 2
    )


def _psnr_2_above_1(name: str, entry: Summary) -> Verdict | None:
    contrast = entry.contrasts.get('psnr_2_minus_1')
    if contrast is None:
        return None
    measured = f'{contrast.value:+.2f} dB {_interval(contrast, 1, 2)}'
    return Verdict('PSNR, k=2 above k=1', 'above 0 dB', name, measured, contrast.value > 0.0)


def _psnr_holds(name: str, entry: Summary) -> Verdict | None:
    psnr = _restored_psnr(entry)
    if len(psnr) < 2:
        return None
    worst = min(psnr, key=lambda k: psnr[k])
    fall = max(psnr.values()) - psnr[worst]
    return Verdict(
        f'PSNR, worst k of 1..{max(psnr)} below the best',
        f'at most {PSNR_SPREAD_DB} dB',
        name,
        f'{fall:.2f} dB (k={worst})',
        fall <= PSNR_SPREAD_DB,
    )


def _against_input(
    name: str, entry: Summary, metric: str, title: str, scale: float
) -> Verdict | None:
    means = _means(entry, metric)
    restored = [k for k in (1, 2, 3) if k in means]
    if 0 not in means or not restored:
        return None
    after = ' / '.join(f'{means[k] * scale:.2f}' for k in restored)
    return Verdict(
        f'{title}, k=1..{restored[-1]} against the degraded input',
        'each lower',
        name,
        f'{means[0] * scale:.2f} to {after}',
        all(means[k] < means[0] for k in restored),
    )


def _int8(
    name: str,
    int8: Summary,
    fp32: Summary,
    metric: str,
    limit: float,
    unit: str,
) -> Verdict | None:
    one, two = _means(int8, metric), _means(fp32, metric)
    steps = [k for k in one if k > 0 and k in two]
    if not steps:
        return None
    worst = max(steps, key=lambda k: abs(one[k] - two[k]))
    apart = one[worst] - two[worst]
    return Verdict(
        f'{metric.upper()}, INT8 against FP32, k=1..{max(steps)}',
        f'within {limit}{unit}',
        name,
        f'{apart:+.4f} at k={worst}' if metric == 'lpips' else f'{apart:+.2f} dB at k={worst}',
        abs(apart) <= limit,
    )


def _clean_stays(clean: Curve | None) -> Verdict | None:
    row = clean.k.get(str(CLEAN_CYCLES), {}) if clean is not None else {}
    kept = row.get('psnr_to_start')
    if not isinstance(kept, Mean):
        return None
    low, high = kept.ci95
    return Verdict(
        f'A clean face restored {CLEAN_CYCLES} times, PSNR to itself',
        f'{CLEAN_PSNR_DB:.0f} dB',
        CLEAN,
        f'{kept.mean:.1f} dB ({low:.1f}..{high:.1f})',
        kept.mean >= CLEAN_PSNR_DB,
    )
