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

"""Loads models with ONNX Runtime, and reports when the provider is not the first choice."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from cfrnet_ros.vision.engine.compiled import compiled_path, finish_compiled, keep_compiled
from cfrnet_ros.vision.engine.external_data import check_external_data
from cfrnet_ros.vision.engine.plugins import plugin_devices
from cfrnet_ros.vision.engine.provider_records import CPU, Provider
from cfrnet_ros.vision.engine.providers import AUTO, ProviderChoice
from cfrnet_ros.vision.engine.session_pool import model_key
from cfrnet_ros.vision.errors import ModelError, ProviderError, reason_of


@dataclass(frozen=True)
class EngineSession:
    """An ONNX Runtime session and the provider that it really uses.

    Attributes:
        session: Session of ONNX Runtime.
        requested: Request, as comma separated short names or 'auto'.
        used: Short name of the provider that runs the model.
        fell_back: Whether `used` is not the first choice.
        reason: Reason for the fallback, or the part of the model that runs on the CPU beside
            `used`; empty if neither applies.

    """

    session: ort.InferenceSession
    requested: str
    used: str
    fell_back: bool
    reason: str


def create_session(
    model: str | Path | bytes, choice: ProviderChoice, threads: int = 0
) -> EngineSession:
    """Load a model on the first provider of a choice that really runs it.

    ONNX Runtime itself falls back to the CPU without a message. This function therefore
    tries each provider alone, with the CPU for the operators that it lacks, and then asks
    the session which provider it uses. If the choice has a pool, a session that is there is used.

    Args:
        model: Path of an ONNX file, or its bytes.
        choice: Providers to try, as `providers.choose_providers` returns them.
        threads: Number of CPU threads for one operator, 0 for ONNX Runtime's own choice.

    Returns:
        Session, with the requested and the used provider.

    Raises:
        ModelError: The file is missing, keeps weights outside of its folder, or ONNX Runtime cannot
            read it as a model.
        ProviderError: No provider of the choice could be initialised.

    """
    if threads < 0:
        raise ValueError(f'threads must be 0 or above, got {threads}')
    if choice.pool is not None:
        key = (model_key(model), choice.key, threads)
        return choice.pool.get(key, lambda: _create(model, choice, threads))
    return _create(model, choice, threads)


def _create(model: str | Path | bytes, choice: ProviderChoice, threads: int) -> EngineSession:
    """Load a model, as `create_session` describes it, without looking into a pool."""
    label = _check_readable(model)
    failures: list[str] = []
    # A requested provider that is not in this build is not among the candidates, and that
    # counts as a fallback too.
    available = [candidate.name for candidate in choice.candidates]
    for name in choice.requested:
        if name != AUTO and name not in available:
            reason = choice.broken.get(name, 'is not in this build of ONNX Runtime')
            failures.append(f'{name} {reason}')

    for candidate in choice.candidates:
        short = candidate.name
        if short in choice.rejected:
            failures.append(f'{short} {choice.rejected[short]}')
            continue
        try:
            session = _open(model, candidate, choice, threads)
        except Exception as error:
            if type(error).__name__ in _BROKEN_MODEL or candidate == CPU:
                raise ModelError(
                    f'ONNX Runtime cannot load {label}: {reason_of(error)}; check that it is a'
                    f' complete '
                    f'ONNX file that version {ort.__version__} supports'
                ) from error
            cause = reason_of(error)
            if 'assigned to the default CPU EP' in cause:
                cause = 'it does not run the whole model, or its libraries or device are missing'
            failures.append(f'{short} failed: {cause}')
            continue
        used = session.get_providers()
        if not used or used[0] != candidate.onnx_name:
            failures.append(f'{short} could not be initialised (its libraries or device missing?)')
            continue
        placed = _nodes_per_provider(session)
        if candidate != CPU and placed and not placed.get(candidate.onnx_name):
            failures.append(f'{short} ran no part of the model')
            continue
        wanted = available[0] if choice.requested == (AUTO,) else choice.requested[0]
        fell_back = short != wanted
        reason = '; '.join(failures) if fell_back else ''
        if candidate != CPU and placed.get(CPU.onnx_name):
            note = f'{placed[CPU.onnx_name]} of {sum(placed.values())} operators run on the CPU'
            reason = f'{reason}; {note}' if reason else note
        # Otherwise the CPU would replace a failing device at run time, without a message.
        session.disable_fallback()
        return EngineSession(session, ','.join(choice.requested), short, fell_back, reason)

    raise ProviderError(
        f'no execution provider could run {label}: {"; ".join(failures)}; check the driver and '
        'libraries of the device, or set strict_provider to false to fall back to the CPU'
    )


def run_options() -> ort.RunOptions:
    """Return options of a run that ends before its next operator once `terminate` is set to True.

    ONNX Runtime logs nothing about such a run: its failures are raised, and an interruption that
    was asked for is none.
    """
    options = ort.RunOptions()
    options.log_severity_level = 4
    return options


#: Options that choose a device; a plugin is given the device itself.
_OF_DEVICES = ('device_type',)

_BROKEN_MODEL = ('InvalidProtobuf', 'NoSuchFile', 'NoModel', 'InvalidGraph')


def _check_readable(model: str | Path | bytes) -> str:
    """Return the model's name for messages; raise ModelError if it may not or cannot be read."""
    if isinstance(model, bytes):
        return 'the model'
    path = Path(model)
    if not path.is_file():
        raise ModelError(f"there is no model file '{path}'; give the path of an ONNX file")
    check_external_data(path)
    return f"'{path}'"


def _open(
    model: str | Path | bytes, candidate: Provider, choice: ProviderChoice, threads: int
) -> ort.InferenceSession:
    """Start a session, from what the provider compiled before if it keeps that."""
    options = candidate.options(choice.options, threads)
    kept = compiled_path(model, candidate, options)
    if kept is None:
        return _start(model, _settings(threads), candidate, choice, options)
    if kept.is_file():
        with suppress(Exception):
            return _start(kept, _settings(threads), candidate, choice, options)
        # Of another version of the driver, or damaged.
        kept.unlink(missing_ok=True)
    # Settings belong to one attempt: a provider cannot be added to them twice.
    settings = _settings(threads)
    part = keep_compiled(settings, kept)
    try:
        session = _start(model, settings, candidate, choice, options)
    except Exception:
        # Some providers write it before they fail.
        part.unlink(missing_ok=True)
        raise
    finish_compiled(part, kept)
    return session


def _settings(threads: int) -> ort.SessionOptions:
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    # A waiting thread that spins occupies a core that the camera driver needs.
    settings.add_session_config_entry('session.intra_op.allow_spinning', '0')
    settings.add_session_config_entry('session.inter_op.allow_spinning', '0')
    # Newer versions of ONNX Runtime record the assignment; older ones ignore the entry.
    settings.add_session_config_entry('session.record_ep_graph_assignment_info', '1')
    return settings


def _start(
    model: str | Path | bytes,
    settings: ort.SessionOptions,
    candidate: Provider,
    choice: ProviderChoice,
    options: dict[str, str],
) -> ort.InferenceSession:
    source = model if isinstance(model, bytes) else str(model)
    kind = choice.options.get(candidate.name, {}).get('device_type', '')
    devices = plugin_devices(candidate, kind)
    if devices:
        if choice.strict and 'cpu' not in choice.requested:
            settings.add_session_config_entry('session.disable_cpu_ep_fallback', '1')
        given = {name: value for name, value in options.items() if name not in _OF_DEVICES}
        settings.add_provider_for_devices(devices[:1], given)
        return ort.InferenceSession(source, settings, enable_fallback=0)
    chain: list[Any] = [(candidate.onnx_name, options)]
    if candidate != CPU:
        if choice.strict and 'cpu' not in choice.requested:
            settings.add_session_config_entry('session.disable_cpu_ep_fallback', '1')
        else:
            chain.append(CPU.onnx_name)
    return ort.InferenceSession(source, settings, providers=chain, enable_fallback=0)


def _nodes_per_provider(session: ort.InferenceSession) -> dict[str, int]:
    """Count the operators on each provider; empty if ONNX Runtime cannot tell (before 1.24)."""
    query = getattr(session, 'get_provider_graph_assignment_info', None)
    if query is None:
        return {}
    counts: dict[str, int] = {}
    try:
        for part in query():
            counts[part.ep_name] = counts.get(part.ep_name, 0) + len(part.get_nodes())
    except (RuntimeError, AttributeError):
        return {}
    return counts
