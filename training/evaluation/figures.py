"""The figures that the weights were to reach, and whether they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from training.evaluation.protocol import CLEAN, SETS

#: The targets. LPIPS: reduction from k=1 to k=3 and from the input to k=3. PSNR: the most
#: that any k may lie below the best. INT8 against FP32. A clean face restored 16 times.
LPIPS_3_BELOW_1 = 0.31
LPIPS_3_BELOW_0 = 0.55
PSNR_SPREAD_DB = 0.5
INT8_LPIPS, INT8_PSNR_DB = 0.01, 0.3
CLEAN_CYCLES, CLEAN_PSNR_DB = 16, 38.0


@dataclass(frozen=True)
class Figure:
    """One figure on one set.

    Attributes:
        figure: what is measured, in words.
        target: what is to be reached, in words.
        name: of the set.
        measured: in words, with the 95% confidence interval where there is one.
        reached: whether it is, by the means.

    """

    figure: str
    target: str
    name: str
    measured: str
    reached: bool


def figures_to_reach(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Compare the figures of `docs/results.json` with the targets.

    Args:
        result: `main`, `models` (by name: `sets`) and `fixed_point`, as in the file.

    Returns:
        The figures that could be told from what was measured, as dictionaries with the
        attributes of `Figure`.

    """
    main = str(result['main'])
    sets = result['models'].get(main, {}).get('sets', {})
    counterpart = result['models'].get(main.replace('int8', 'fp32'), {}).get('sets', {})
    checks: tuple[Callable[[str, Mapping[str, Any]], Figure | None], ...] = (
        _lpips_3_below_1,
        _lpips_3_below_0,
        _psnr_best_late,
        _psnr_2_above_1,
        _psnr_holds,
        lambda name, entry: _against_input(name, entry, 'deg', 'Identity distance, degrees', 1.0),
        lambda name, entry: _against_input(name, entry, 'lmd', 'Landmark error (LMD), %', 100.0),
    )
    found = [check(name, sets[name]) for check in checks for name in SETS if name in sets]
    if 'int8' in main:
        for metric, limit, unit in (('lpips', INT8_LPIPS, ''), ('psnr', INT8_PSNR_DB, ' dB')):
            found += [
                _int8(name, sets[name], counterpart[name], metric, limit, unit)
                for name in SETS
                if name in sets and name in counterpart
            ]
    found.append(_clean_stays(result['fixed_point'].get(main, {}).get('clean_everyone')))
    return [asdict(figure) for figure in found if figure is not None]


def _means(entry: Mapping[str, Any], metric: str) -> dict[int, float]:
    return {int(k): row[metric]['mean'] for k, row in entry['k'].items() if metric in row}


def _interval(contrast: Mapping[str, Any], scale: float, digits: int) -> str:
    low, high = (value * scale for value in contrast['ci95'])
    return f'({low:.{digits}f}..{high:.{digits}f})'


def _lpips_3_below_1(name: str, entry: Mapping[str, Any]) -> Figure | None:
    contrast = entry['contrasts'].get('lpips_3_below_1')
    if contrast is None:
        return None
    first = entry['contrasts'].get('lpips_1_below_0', {}).get('value', 0.0)
    directly = contrast['value'] >= LPIPS_3_BELOW_1
    # A network that does nearly everything in one cycle leaves nothing to the later ones.
    at_once = first >= LPIPS_3_BELOW_0 and contrast['value'] > 0.0
    measured = f'{100 * contrast["value"]:.1f}% {_interval(contrast, 100, 1)}'
    measured += f'; k=1 is {100 * first:.1f}% below the input'
    return Figure(
        'LPIPS, k=3 below k=1',
        f'{100 * LPIPS_3_BELOW_1:.0f}%, or k=1 already {100 * LPIPS_3_BELOW_0:.0f}% below the '
        'input and k=3 lower still',
        name,
        measured,
        directly or at_once,
    )


def _lpips_3_below_0(name: str, entry: Mapping[str, Any]) -> Figure | None:
    contrast = entry['contrasts'].get('lpips_3_below_0')
    if contrast is None:
        return None
    return Figure(
        'LPIPS, k=3 below the degraded input',
        f'{100 * LPIPS_3_BELOW_0:.0f}%',
        name,
        f'{100 * contrast["value"]:.1f}% {_interval(contrast, 100, 1)}',
        contrast['value'] >= LPIPS_3_BELOW_0,
    )


def _restored_psnr(entry: Mapping[str, Any]) -> dict[int, float]:
    return {k: value for k, value in _means(entry, 'psnr').items() if k > 0}


def _psnr_best_late(name: str, entry: Mapping[str, Any]) -> Figure | None:
    psnr = _restored_psnr(entry)
    if len(psnr) < 2:
        return None
    best = max(psnr, key=lambda k: psnr[k])
    return Figure('PSNR, best k', 'k=2 or later', name, f'k={best}, {psnr[best]:.2f} dB', best >= 2)


def _psnr_2_above_1(name: str, entry: Mapping[str, Any]) -> Figure | None:
    contrast = entry['contrasts'].get('psnr_2_minus_1')
    if contrast is None:
        return None
    measured = f'{contrast["value"]:+.2f} dB {_interval(contrast, 1, 2)}'
    return Figure('PSNR, k=2 above k=1', 'above 0 dB', name, measured, contrast['value'] > 0.0)


def _psnr_holds(name: str, entry: Mapping[str, Any]) -> Figure | None:
    psnr = _restored_psnr(entry)
    if len(psnr) < 2:
        return None
    worst = min(psnr, key=lambda k: psnr[k])
    fall = max(psnr.values()) - psnr[worst]
    return Figure(
        f'PSNR, worst k of 1..{max(psnr)} below the best',
        f'at most {PSNR_SPREAD_DB} dB',
        name,
        f'{fall:.2f} dB (k={worst})',
        fall <= PSNR_SPREAD_DB,
    )


def _against_input(
    name: str, entry: Mapping[str, Any], metric: str, title: str, scale: float
) -> Figure | None:
    means = _means(entry, metric)
    restored = [k for k in (1, 2, 3) if k in means]
    if 0 not in means or not restored:
        return None
    after = ' / '.join(f'{means[k] * scale:.2f}' for k in restored)
    return Figure(
        f'{title}, k=1..{restored[-1]} against the degraded input',
        'each lower',
        name,
        f'{means[0] * scale:.2f} to {after}',
        all(means[k] < means[0] for k in restored),
    )


def _int8(
    name: str,
    int8: Mapping[str, Any],
    fp32: Mapping[str, Any],
    metric: str,
    limit: float,
    unit: str,
) -> Figure | None:
    one, two = _means(int8, metric), _means(fp32, metric)
    steps = [k for k in one if k > 0 and k in two]
    if not steps:
        return None
    worst = max(steps, key=lambda k: abs(one[k] - two[k]))
    apart = one[worst] - two[worst]
    return Figure(
        f'{metric.upper()}, INT8 against FP32, k=1..{max(steps)}',
        f'within {limit}{unit}',
        name,
        f'{apart:+.4f} at k={worst}' if metric == 'lpips' else f'{apart:+.2f} dB at k={worst}',
        abs(apart) <= limit,
    )


def _clean_stays(clean: Mapping[str, Any] | None) -> Figure | None:
    row = (clean or {}).get('k', {}).get(str(CLEAN_CYCLES), {}).get('psnr_to_start')
    if row is None:
        return None
    low, high = row['ci95']
    return Figure(
        f'A clean face restored {CLEAN_CYCLES} times, PSNR to itself',
        f'{CLEAN_PSNR_DB:.0f} dB',
        CLEAN,
        f'{row["mean"]:.1f} dB ({low:.1f}..{high:.1f})',
        row['mean'] >= CLEAN_PSNR_DB,
    )
