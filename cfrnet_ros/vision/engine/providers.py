"""Chooses the execution provider that runs a model, and reports when it is not the first choice."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import onnxruntime as ort

from cfrnet_ros.vision.errors import ModelError, ProviderError, reason_of

#: ONNX Runtime's provider names by short name, in the order in which `auto` prefers them.
#: Discrete accelerators come first, because they are the fastest and because somebody who
#: installs a build for them has the device; then the NPUs, which leave the CPU free; then
#: OpenVINO, which is available wherever its package is installed, most often on the CPU only;
#: then Core ML; and the CPU, which is always available. Providers of ONNX Runtime that are not
#: listed are never used, above all Azure, which sends data away.
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

#: Request for the best provider available.
AUTO = 'auto'

_SHORT = {long: short for short, long in NAMES.items()}
_CPU = NAMES['cpu']

Options = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class ProviderChoice:
    """Providers to try, in order.

    Attributes:
        requested: Requested short names, or ('auto',).
        candidates: ONNX Runtime's names of the available providers to try, best first; never
            empty. The last one is the CPU unless `strict` is set.
        strict: Whether to refuse every provider that was not requested.
        options: Provider options by short name, which override the defaults.
        rejected: Reasons by short name for not using a candidate, as an earlier trial found
            them.

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
            reason: Reason, as it will appear in `EngineSession.reason`.

        """
        return replace(self, rejected={**self.rejected, provider: reason})


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


def choose_providers(
    request: str = AUTO,
    strict: bool = False,
    available: Sequence[str] | None = None,
    options: Options | None = None,
) -> ProviderChoice:
    """Turn a request into an ordered list of providers to try.

    Args:
        request: Comma separated short names from `NAMES`, most wanted first, or 'auto' for
            the best available provider.
        strict: Whether to accept nothing but the named providers or, with 'auto', nothing but
            the best available one.
        available: ONNX Runtime's names of the available providers; None asks ONNX Runtime.
        options: Provider options by short name, which override the defaults, for instance
            ``{'openvino': {'device_type': 'NPU'}}``.

    Returns:
        Choice with at least one candidate.

    Raises:
        ProviderError: A name is unknown or empty, or `strict` is set and none of the named
            providers is available.

    """
    present = list(ort.get_available_providers() if available is None else available)
    present_short = [short for short, long in NAMES.items() if long in present]
    names = tuple(part.strip().lower() for part in request.split(','))
    overrides = dict(options or {})
    for name in overrides:
        if name not in NAMES:
            raise ProviderError(
                f"provider options are given for an unknown execution provider '{name}'; "
                f'known providers: {", ".join(NAMES)}'
            )
    if names == (AUTO,):
        taken = present_short
        if available is None and platform.machine().lower() in ('x86_64', 'amd64'):
            # Qualcomm's build for PCs emulates the NPU, hundreds of times slower than the CPU
            # itself; it is used only if it is named.
            taken = [short for short in present_short if short != 'qnn']
        candidates = [NAMES[short] for short in taken] or [_CPU]
        if strict:
            candidates = candidates[:1]
        return ProviderChoice(names, tuple(candidates), strict, overrides)

    for name in names:
        if name not in NAMES:
            hint = ' (auto cannot be combined with other names)' if name == AUTO else ''
            raise ProviderError(
                f"unknown execution provider '{name}'{hint}; known providers: auto,"
                f' {", ".join(NAMES)}; '
                f'available here: {", ".join(present_short) or "none"}'
            )
    candidates = list(dict.fromkeys(NAMES[name] for name in names if NAMES[name] in present))
    if strict and not candidates:
        raise ProviderError(
            f"none of the execution providers '{', '.join(names)}' is in this build of ONNX "
            f'Runtime, which has: {", ".join(present_short) or "none"}; install the build for '
            'your device, or set strict_provider to false to fall back to the CPU'
        )
    if not strict and _CPU not in candidates:
        candidates.append(_CPU)
    return ProviderChoice(names, tuple(candidates), strict, overrides)


def parse_options(entries: Sequence[str]) -> dict[str, dict[str, str]]:
    """Parse provider options from `name.key=value` strings, the form of the parameter.

    Args:
        entries: Strings, for instance ``['openvino.device_type=NPU']``; empty ones are skipped.

    Returns:
        Options by short provider name.

    Raises:
        ProviderError: An entry has another form or names an unknown provider.

    """
    options: dict[str, dict[str, str]] = {}
    for entry in entries:
        if not entry.strip():
            continue
        target, equals, value = entry.partition('=')
        provider, dot, key = target.strip().partition('.')
        if not equals or not dot or not key or provider not in NAMES:
            raise ProviderError(
                f"provider option '{entry}' does not have the form <provider>.<option>=<value>,"
                f' for '
                f'example openvino.device_type=NPU; known providers: {", ".join(NAMES)}'
            )
        options.setdefault(provider, {})[key.strip()] = value.strip()
    return options


def create_session(
    model: str | Path | bytes, choice: ProviderChoice, threads: int = 0
) -> EngineSession:
    """Load a model on the first provider of a choice that really runs it.

    ONNX Runtime itself falls back to the CPU without a message. This function therefore
    tries each provider alone, with the CPU for the operators that it lacks, and then asks
    the session which provider it uses.

    Args:
        model: Path of an ONNX file, or its bytes.
        choice: Providers to try, as `choose_providers` returns them.
        threads: Number of CPU threads for one operator, 0 for ONNX Runtime's own choice.

    Returns:
        Session, with the requested and the used provider.

    Raises:
        ModelError: The file is missing, or ONNX Runtime cannot read it as a model.
        ProviderError: No provider of the choice could be initialised.

    """
    if threads < 0:
        raise ValueError(f'threads must be 0 or above, got {threads}')
    label = _check_readable(model)
    failures: list[str] = []
    # A requested provider that is not in this build is not among the candidates, and that
    # counts as a fallback too.
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
                    f'ONNX Runtime cannot load {label}: {reason_of(error)}; check that it is a'
                    f' complete ONNX file that version {ort.__version__} supports'
                ) from error
            cause = reason_of(error)
            if 'assigned to the default CPU EP' in cause:
                cause = 'it does not run the whole model, or its libraries or device are missing'
            failures.append(f'{short} failed: {cause}')
            continue
        used = session.get_providers()
        if not used or used[0] != candidate:
            failures.append(f'{short} could not be initialised (its libraries or device missing?)')
            continue
        placed = _nodes_per_provider(session)
        if candidate != _CPU and placed and not placed.get(candidate):
            failures.append(f'{short} ran no part of the model')
            continue
        wanted = choice.candidates[0] if choice.requested == (AUTO,) else NAMES[choice.requested[0]]
        fell_back = candidate != wanted
        reason = '; '.join(failures) if fell_back else ''
        if candidate != _CPU and placed.get(_CPU):
            note = f'{placed[_CPU]} of {sum(placed.values())} operators run on the CPU'
            reason = f'{reason}; {note}' if reason else note
        # Otherwise the CPU would replace a failing device at run time, without a message.
        session.disable_fallback()
        return EngineSession(session, ','.join(choice.requested), short, fell_back, reason)

    raise ProviderError(
        f'no execution provider could run {label}: {"; ".join(failures)}; check the driver and '
        'libraries of the device, or set strict_provider to false to fall back to the CPU'
    )


_BROKEN_MODEL = ('InvalidProtobuf', 'NoSuchFile', 'NoModel', 'InvalidGraph')


def _check_readable(model: str | Path | bytes) -> str:
    """Return the model's name for messages; raise ModelError if the file does not exist."""
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
    # A waiting thread that spins occupies a core that the camera driver needs.
    settings.add_session_config_entry('session.intra_op.allow_spinning', '0')
    settings.add_session_config_entry('session.inter_op.allow_spinning', '0')
    # Newer versions of ONNX Runtime record the assignment; older ones ignore the entry.
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
    """Return the options that a provider needs to reach its device, plus the caller's.

    Args:
        provider: ONNX Runtime's name of the provider.
        overrides: Options by short name, which override the defaults.
        threads: Number of CPU threads for providers with a pool of their own, 0 for their
            own choice.

    Returns:
        Values by option name, both as strings.

    """
    options: dict[str, str] = {}
    if provider == NAMES['tensorrt']:
        # Building an engine takes minutes; the cache makes the next start quick.
        options = {'trt_engine_cache_enable': '1', 'trt_engine_cache_path': _cache('tensorrt')}
    elif provider == NAMES['qnn']:
        # HTP is Qualcomm's NPU; without a backend the provider uses its CPU emulation.
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
    """Return 'NPU' if OpenVINO sees Intel's NPU, otherwise 'CPU'; a GPU must be named."""
    # The function exists in the OpenVINO build of ONNX Runtime only.
    query = getattr(ort.capi._pybind_state, 'get_available_openvino_device_ids', None)
    devices = query() if query is not None else []
    return 'NPU' if any(str(device).startswith('NPU') for device in devices) else 'CPU'


def _qnn_backend() -> str:
    """Return the path of the HTP backend in the installed wheel, or its bare name."""
    name = 'QnnHtp.dll' if platform.system() == 'Windows' else 'libQnnHtp.so'
    packaged = Path(ort.__file__).parent / 'capi' / name
    return str(packaged) if packaged.is_file() else name


def _cache(name: str) -> str:
    root = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    return str(root / 'cfrnet_ros' / name)


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
