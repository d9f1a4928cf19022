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

"""The rows of the comparison: which network, which objectives, which weights."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from training.run.config import RunConfig, make_config

#: File with the rows, and its groups.
ROWS = Path(__file__).with_name('rows.yaml')
GROUPS = ('comparison', 'ablation')

#: Parts of the budget that schedules count in.
CLOCK = 1000

_KEYS = {
    'title',
    'group',
    'network',
    'objectives',
    'config',
    'like',
    'later',
    'rounding',
}


@dataclass(frozen=True)
class Row:
    """One system, or one variant of CFRNet.

    Attributes:
        name: Name of the row, also of its files.
        title: Name of the row for people.
        group: One of `GROUPS`.
        network: Name of the network, one of `training.networks.systems.build.NETWORKS`.
        config: Schedules and weights; steps are thousandths of the budget. `network` of it is not
            used.
        objectives: ((step, name), ...): objective that holds from that step on.
        later: Fields of `RunConfig` that have these values from the first stage on; `loss` holds
            fields of `LossWeights`.
        rounding: Whether each cycle's input is rounded to 8 bits in training.

    """

    name: str
    title: str
    group: str
    network: str
    config: RunConfig
    objectives: tuple[tuple[int, str], ...] = ((0, 'restoration'),)
    later: Mapping[str, Any] = field(default_factory=dict)
    rounding: bool = False

    def objective(self, clock: int) -> str:
        """Return the name of the objective that holds at a step."""
        return [name for begin, name in self.objectives if begin <= clock][-1]

    def at(self, clock: int) -> RunConfig:
        """Return the configuration that holds at a step."""
        now = self.config.at(clock)
        if not self.config.stages or clock < self.config.stages[0][0]:
            return now
        changes = dict(self.later)
        loss = dataclasses.replace(now.loss, **changes.pop('loss', {}))
        return dataclasses.replace(now, **changes, loss=loss)

    def digest(self) -> str:
        """Return a hash of everything that decides how the row is trained."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Rows:
    """Content of the rows' file.

    Attributes:
        shared: Configuration by which faces are drawn and degraded, for all rows alike.
        rows: Rows by name, in the order of the file.

    """

    shared: RunConfig
    rows: Mapping[str, Row]

    def named(self, names: Collection[str]) -> list[Row]:
        """Return some rows in the order of the file.

        Args:
            names: Names of rows or of groups.

        Raises:
            ValueError: There is no row or group of a name.

        """
        unknown = sorted(set(names) - set(self.rows) - set(GROUPS))
        if unknown:
            raise ValueError(
                f'unknown row(s) {", ".join(unknown)}; known are {", ".join(self.rows)}, and '
                f'the groups {" and ".join(GROUPS)}'
            )
        return [row for row in self.rows.values() if {row.name, row.group} & set(names)]


def read_rows(path: Path = ROWS) -> Rows:
    """Read the rows' file.

    Raises:
        ValueError: A key, a group, a network or an objective is unknown, a row is like one that
            does not come before it, or a configuration is one that `load_config` refuses.

    """
    content = yaml.safe_load(path.read_text(encoding='utf-8'))
    shared = make_config(content['shared'], f'{path}: shared')
    configs: dict[str, dict[str, Any]] = {}
    rows: dict[str, Row] = {}
    for name, given in content['rows'].items():
        where = f'{path}: {name}'
        other = given.get('like')
        if other is not None and other not in rows:
            raise ValueError(f'{where}: is like {other!r}, which must be a row before it')
        base = content['shared'] if other is None else configs[other]
        configs[name] = _merged(base, given.get('config', {}))
        rows[name] = _row(name, given, configs[name], rows.get(other or ''), where)
    return Rows(shared, rows)


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    loss = {**base.get('loss', {}), **own.get('loss', {})}
    return {**base, **own, 'loss': loss}


def _row(
    name: str,
    given: Mapping[str, Any],
    config: Mapping[str, Any],
    like: Row | None,
    where: str,
) -> Row:
    # Imported late: a file of rows is found, and its commands explained, without PyTorch.
    from training.experiments.systems.objectives.registry import OBJECTIVES
    from training.networks.systems.build import NETWORKS

    unknown = sorted(set(given) - _KEYS)
    if unknown:
        raise ValueError(f'{where}: unknown key(s) {unknown}; known are {sorted(_KEYS)}')
    if given.get('group') not in GROUPS:
        raise ValueError(f'{where}: group must be one of {GROUPS}, not {given.get("group")!r}')
    objectives = like.objectives if like else ((0, 'restoration'),)
    if 'objectives' in given:
        objectives = tuple((int(begin), str(which)) for begin, which in given['objectives'])
    row = Row(
        name=name,
        title=str(given['title']),
        group=str(given['group']),
        network=str(given.get('network', like.network if like else '')),
        config=make_config(config, where),
        objectives=objectives,
        later=_tupled(given.get('later', {})),
        rounding=bool(given.get('rounding', False)),
    )
    if row.network not in NETWORKS:
        raise ValueError(
            f'{where}: unknown network {row.network!r}; known are {", ".join(NETWORKS)}'
        )
    missing = [which for _, which in objectives if which not in OBJECTIVES]
    if missing or objectives[0][0] != 0:
        raise ValueError(
            f'{where}: objectives begin at step 0 and are of {", ".join(OBJECTIVES)}; '
            f'got {objectives}'
        )
    try:
        row.at(CLOCK)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{where}: later: {error}') from error
    return row


def _tupled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tupled(entry) for key, entry in value.items()}
    return tuple(value) if isinstance(value, list) else value
