"""Execution providers: which engine runs a model, and saying so when it is another."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import onnxruntime as ort

from cfrnet_ros.vision.errors import ModelError, ProviderError, reason_of

#: Short name to ONNX Runtime's name, in the order in which `auto` prefers them.
#: Discrete accelerators come first, since who installs their build owns the device
#: and they are the fastest; then the NPUs, which leave the CPU free; then OpenVINO,
#: which is present wherever its package is, most often on nothing but the same CPU;
#: then Core ML; and the CPU, which is always there. Providers of ONNX Runtime that are
#: not listed (Azure, which sends data away, above all) are never taken.
NAMES: dict[str, str] = {
    'tensorrt': 'TensorrtExecutionProvider',
    'cuda': 'CUDAExecutionProvider',
    'cann': 'CANNExecutionProvider',
    'qnn': 'QNNExecutionProvider',
    'vitisai': 'VitisAIExecutionProvider',
    'rknpu': 'RknpuExecutionProvider',
    'vsinpu': 'VSINPUExecutionProvider',
    'openvino': 'OpenVINOExecutionProvider',
    'coreml': 'CoreMLExecutionProvider',
    'cpu': 'CPUExecutionProvider',
}

#: The request that takes the best provider present.
AUTO = 'auto'

_SHORT = {long: short for short, long in NAMES.items()}
_CPU = NAMES['cpu']

Options = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class ProviderChoice:
    """Providers to try, in order.

    Attributes:
        requested: short names as asked for, or ('auto',).
        candidates: ONNX Runtime's names of those that are present, best first;
            never empty. Ends with the CPU unless `strict`.
        strict: refuse to run on anything that was not asked for.
        options: per short name, provider options that override the defaults.
        rejected: Reasons, by short name, not to use a provider although it is a candidate: what
            an earlier trial found.

    """

    requested: tuple[str, ...]
    candidates: tuple[str, ...]
    strict: bool = False
    options: Options = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """Short name of the first candidate."""
        return _SHORT[self.candidates[0]]

    @property
    def remaining(self) -> tuple[str, ...]:
        """Short names of the candidates that have not been rejected, best first."""
        names = (_SHORT[candidate] for candidate in self.candidates)
        return tuple(name for name in names if name not in self.rejected)

    def without(self, provider: str, reason: str) -> ProviderChoice:
        """Return the same choice with one provider rejected.

        Args:
            provider: Short name of the provider.
            reason: Reason, as it is to appear in `EngineSession.reason`.

        """
        return replace(self, rejected={**self.rejected, provider: reason})


@dataclass(frozen=True)
class EngineSession:
    """An ONNX Runtime session and the truth about where it runs.

    Attributes:
        session: the session.
        requested: what was asked for, comma separated short names or 'auto'.
        used: short name of the provider that runs the model.
        fell_back: whether `used` is not the first choice.
        reason: why it fell back, or which part of the model runs on the CPU beside
            `used`; empty when there is nothing to say.

    """

    session: ort.InferenceSession
    requested: str
    used: str
    fell_back: bool
    reason: str


def choose_providers(
    request: str = AUTO,
    strict: bool = False,
    available: Sequence[str] | None = None,
    options: Options | None = None,
) -> ProviderChoice:
    """Turn a request into an ordered list of providers to try.

    Args:
        request: comma separated short names (see `NAMES`), most wanted first, or
            'auto' for the best present.
        strict: with names, run on one of these and nothing else; with 'auto', run
            on the best present and nothing else.
        available: ONNX Runtime's provider names; asked of ONNX Runtime when None.
        options: per short name, provider options over the defaults, for instance
            ``{'openvino': {'device_type': 'NPU'}}``.

    Returns:
        The choice, with at least one candidate.

    Raises:
        ProviderError: an unknown or empty name, or none of the named ones is
            present and `strict` is set.

    """
    present = list(ort.get_available_providers() if available is None else available)
    present_short = [short for short, long in NAMES.items() if long in present]
    names = tuple(part.strip().lower() for part in request.split(','))
    overrides = dict(options or {})
    for name in overrides:
        if name not in NAMES:
            raise ProviderError(
                f"options are given for an unknown execution provider '{name}'; "
                f'known are: {", ".join(NAMES)}'
            )
    if names == (AUTO,):
        taken = present_short
        if available is None and platform.machine().lower() in ('x86_64', 'amd64'):
            # Qualcomm's build for PCs emulates the NPU, hundreds of times slower
            # than the CPU itself; it is used when named, never by itself.
            taken = [short for short in present_short if short != 'qnn']
        candidates = [NAMES[short] for short in taken] or [_CPU]
        if strict:
            candidates = candidates[:1]
        return ProviderChoice(names, tuple(candidates), strict, overrides)

    for name in names:
        if name not in NAMES:
            hint = ' (it stands alone, not in a list)' if name == AUTO else ''
            raise ProviderError(
                f"unknown execution provider '{name}'{hint}; known are: auto, {', '.join(NAMES)}; "
                f'present here: {", ".join(present_short) or "none"}'
            )
    candidates = list(dict.fromkeys(NAMES[name] for name in names if NAMES[name] in present))
    if strict and not candidates:
        raise ProviderError(
            f"none of the execution providers '{', '.join(names)}' is in this build of ONNX "
            f'Runtime, which has: {", ".join(present_short) or "none"}; install the build for '
            'your device, or turn strict off to fall back to the CPU'
        )
    if not strict and _CPU not in candidates:
        candidates.append(_CPU)
    return ProviderChoice(names, tuple(candidates), strict, overrides)


def parse_options(entries: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read provider options from `name.key=value` strings, as a parameter holds them.

    Args:
        entries: for instance ``['openvino.device_type=NPU']``; empty strings are skipped.

    Returns:
        Per short provider name its options.

    Raises:
        ProviderError: an entry is not of that form or names an unknown provider.

    """
    options: dict[str, dict[str, str]] = {}
    for entry in entries:
        if not entry.strip():
            continue
        target, equals, value = entry.partition('=')
        provider, dot, key = target.strip().partition('.')
        if not equals or not dot or not key or provider not in NAMES:
            raise ProviderError(
                f"provider option '{entry}' is not of the form <provider>.<option>=<value>, for "
                f'example openvino.device_type=NPU; known providers: {", ".join(NAMES)}'
            )
        options.setdefault(provider, {})[key.strip()] = value.strip()
    return options


def create_session(
    model: str | Path | bytes, choice: ProviderChoice, threads: int = 0
) -> EngineSession:
    """Load a model on the first provider of a choice that really takes it.

    ONNX Runtime on its own falls back to the CPU without a word; here each provider
    is tried alone (with the CPU for the operators that it lacks) and the session is
    then asked what it runs on.

    Args:
        model: path of an ONNX file, or its bytes.
        choice: see `choose_providers`.
        threads: threads for one operator on the CPU, 0 for ONNX Runtime's own choice.

    Returns:
        The session with what was asked and what is used.

    Raises:
        ModelError: the file is missing or not a model that ONNX Runtime can read.
        ProviderError: no provider of the choice could be initialised.

    """
    if threads < 0:
        raise ValueError(f'threads must be 0 or above, got {threads}')
    label = _check_readable(model)
    failures: list[str] = []
    # A provider of the request that is not in this build was left out of the
    # candidates, and that is a fall-back too.
    for name in choice.requested:
        if name != AUTO and NAMES[name] not in choice.candidates:
            failures.append(f'{name} is not in this build of ONNX Runtime')

    for candidate in choice.candidates:
        short = _SHORT[candidate]
        if short in choice.rejected:
            failures.append(f'{short} {choice.rejected[short]}')
            continue
        try:
            session = _open(model, candidate, choice, threads)
        except Exception as error:
            if type(error).__name__ in _BROKEN_MODEL or candidate == _CPU:
                raise ModelError(
                    f'ONNX Runtime cannot load {label}: {reason_of(error)}; is it a complete '
                    f'ONNX file that version {ort.__version__} understands?'
                ) from error
            cause = reason_of(error)
            if 'assigned to the default CPU EP' in cause:
                cause = 'it does not take the whole model, or its libraries or device are missing'
            failures.append(f'{short} failed: {cause}')
            continue
        used = session.get_providers()
        if not used or used[0] != candidate:
            failures.append(f'{short} could not be initialised (its libraries or device missing?)')
            continue
        placed = _nodes_per_provider(session)
        if candidate != _CPU and placed and not placed.get(candidate):
            failures.append(f'{short} took no part of the model')
            continue
        wanted = choice.candidates[0] if choice.requested == (AUTO,) else NAMES[choice.requested[0]]
        fell_back = candidate != wanted
        reason = '; '.join(failures) if fell_back else ''
        if candidate != _CPU and placed.get(_CPU):
            note = f'{placed[_CPU]} of {sum(placed.values())} operators run on the CPU'
            reason = f'{reason}; {note}' if reason else note
        # Otherwise a failing device would be replaced by the CPU at run time.
        session.disable_fallback()
        return EngineSession(session, ','.join(choice.requested), short, fell_back, reason)

    raise ProviderError(
        f'no execution provider could run {label}: {"; ".join(failures)}; check the driver and '
        'libraries of the device, or turn strict off to fall back to the CPU'
    )


_BROKEN_MODEL = ('InvalidProtobuf', 'NoSuchFile', 'NoModel', 'InvalidGraph')


def _check_readable(model: str | Path | bytes) -> str:
    """Return how to call the model in messages; raise ModelError when there is no such file."""
    if isinstance(model, bytes):
        return 'the model'
    path = Path(model)
    if not path.is_file():
        raise ModelError(f"there is no model file '{path}'; give the path of an ONNX file")
    return f"'{path}'"


def _open(
    model: str | Path | bytes, candidate: str, choice: ProviderChoice, threads: int
) -> ort.InferenceSession:
    settings = ort.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    # A waiting thread that spins burns a core that the camera driver needs.
    settings.add_session_config_entry('session.intra_op.allow_spinning', '0')
    settings.add_session_config_entry('session.inter_op.allow_spinning', '0')
    # Kept by newer versions of ONNX Runtime, ignored by older ones.
    settings.add_session_config_entry('session.record_ep_graph_assignment_info', '1')
    chain: list[Any] = [(candidate, provider_options(candidate, choice.options, threads))]
    if candidate != _CPU:
        if choice.strict and 'cpu' not in choice.requested:
            settings.add_session_config_entry('session.disable_cpu_ep_fallback', '1')
        else:
            chain.append(_CPU)
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, settings, providers=chain, enable_fallback=0)


def provider_options(
    provider: str, overrides: Options | None = None, threads: int = 0
) -> dict[str, str]:
    """Options that a provider needs to reach its device, with the caller's over them.

    Args:
        provider: ONNX Runtime's name of the provider.
        overrides: per short name, options that win over the defaults.
        threads: CPU threads for providers that have their own pool, 0 for their choice.

    Returns:
        Option names and values, both as strings.

    """
    options: dict[str, str] = {}
    if provider == NAMES['tensorrt']:
        # Building an engine takes minutes; the cache makes the second start quick.
        options = {'trt_engine_cache_enable': '1', 'trt_engine_cache_path': _cache('tensorrt')}
    elif provider == NAMES['qnn']:
        # HTP is Qualcomm's NPU; without a backend the provider takes its CPU emulation.
        options = {
            'backend_path': _qnn_backend(),
            'htp_performance_mode': 'sustained_high_performance',
        }
    elif provider == NAMES['cann']:
        options = {'device_id': '0', 'enable_cann_graph': '1'}
    elif provider == NAMES['openvino']:
        options = {'device_type': _openvino_device(), 'num_streams': '1'}
        if threads:
            options['num_of_threads'] = str(threads)
    elif provider == NAMES['coreml']:
        options = {
            'ModelFormat': 'MLProgram',
            'MLComputeUnits': 'ALL',
            'RequireStaticInputShapes': '1',
        }
    options.update((overrides or {}).get(_SHORT[provider], {}))
    return options


def _openvino_device() -> str:
    """Intel's NPU where OpenVINO sees one, else the CPU; a GPU is taken only when named."""
    # Only in the OpenVINO build of ONNX Runtime.
    query = getattr(ort.capi._pybind_state, 'get_available_openvino_device_ids', None)
    devices = query() if query is not None else []
    return 'NPU' if any(str(device).startswith('NPU') for device in devices) else 'CPU'


def _qnn_backend() -> str:
    """Path of the HTP backend inside the installed wheel, or its bare name."""
    name = 'QnnHtp.dll' if platform.system() == 'Windows' else 'libQnnHtp.so'
    packaged = Path(ort.__file__).parent / 'capi' / name
    return str(packaged) if packaged.is_file() else name


def _cache(name: str) -> str:
    root = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    return str(root / 'cfrnet_ros' / name)


def _nodes_per_provider(session: ort.InferenceSession) -> dict[str, int]:
    """Count the operators on each provider; empty where ONNX Runtime cannot tell (before 1.24)."""
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
