"""Which execution providers a request names, and which of them are present, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnxruntime as ort

from cfrnet_ros.vision.engine.provider_records import (
    CPU,
    PROVIDERS,
    Options,
    Provider,
    names_of,
)
from cfrnet_ros.vision.errors import ProviderError

#: The request that takes the best provider present.
AUTO = 'auto'


@dataclass(frozen=True)
class ProviderChoice:
    """Providers to try, in order.

    Attributes:
        requested: short names as asked for, or ('auto',).
        candidates: Providers that are present, best first; never empty. Ends with the CPU unless
            `strict`.
        strict: refuse to run on anything that was not asked for.
        options: per short name, provider options that override the defaults.
        rejected: Reasons, by short name, not to use a provider although it is a candidate: what
            an earlier trial found.

    """

    requested: tuple[str, ...]
    candidates: tuple[Provider, ...]
    strict: bool = False
    options: Options = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)

    @property
    def remaining(self) -> tuple[Provider, ...]:
        """Candidates that have not been rejected, best first."""
        return tuple(found for found in self.candidates if found.name not in self.rejected)

    def without(self, provider: str, reason: str) -> ProviderChoice:
        """Return the same choice with one provider rejected.

        Args:
            provider: Short name of the provider.
            reason: Reason, as it is to appear in `sessions.EngineSession.reason`.

        """
        return replace(self, rejected={**self.rejected, provider: reason})


def choose_providers(
    request: str = AUTO,
    strict: bool = False,
    available: Sequence[str] | None = None,
    options: Options | None = None,
    known: Sequence[Provider] = PROVIDERS,
) -> ProviderChoice:
    """Turn a request into an ordered list of providers to try.

    Args:
        request: Short names of `known` separated by commas, most wanted first, or 'auto' for the
            best present.
        strict: with names, run on one of these and nothing else; with 'auto', run
            on the best present and nothing else.
        available: ONNX Runtime's provider names; asked of ONNX Runtime when None.
        options: per short name, provider options over the defaults, for instance
            ``{'openvino': {'device_type': 'NPU'}}``.
        known: Providers that may be taken, in the order in which 'auto' prefers them.

    Returns:
        The choice, with at least one candidate.

    Raises:
        ProviderError: an unknown or empty name, or none of the named ones is
            present and `strict` is set.

    """
    installed = ort.get_available_providers() if available is None else available
    present = [provider for provider in known if provider.onnx_name in installed]
    by_name = {provider.name: provider for provider in known}
    names = tuple(part.strip().lower() for part in request.split(','))
    overrides = dict(options or {})
    for name in overrides:
        if name not in by_name:
            raise ProviderError(
                f"options are given for an unknown execution provider '{name}'; "
                f'known are: {names_of(known)}'
            )
    if names == (AUTO,):
        taken = [found for found in present if available is not None or found.suits_auto()]
        candidates = taken or [CPU]
        if strict:
            candidates = candidates[:1]
        return ProviderChoice(names, tuple(candidates), strict, overrides)

    for name in names:
        if name not in by_name:
            hint = ' (it stands alone, not in a list)' if name == AUTO else ''
            raise ProviderError(
                f"unknown execution provider '{name}'{hint}; known are: auto, {names_of(known)}; "
                f'present here: {names_of(present) or "none"}'
            )
    candidates = [by_name[name] for name in dict.fromkeys(names) if by_name[name] in present]
    if strict and not candidates:
        raise ProviderError(
            f"none of the execution providers '{', '.join(names)}' is in this build of ONNX "
            f'Runtime, which has: {names_of(present) or "none"}; install the build for '
            'your device, or turn strict off to fall back to the CPU'
        )
    if not strict and CPU not in candidates:
        candidates.append(CPU)
    return ProviderChoice(names, tuple(candidates), strict, overrides)


def parse_options(
    entries: Sequence[str], known: Sequence[Provider] = PROVIDERS
) -> dict[str, dict[str, str]]:
    """Read provider options from `name.key=value` strings, as a parameter holds them.

    Args:
        entries: for instance ``['openvino.device_type=NPU']``; empty strings are skipped.
        known: Providers that may be named.

    Returns:
        Per short provider name its options.

    Raises:
        ProviderError: an entry is not of that form or names an unknown provider.

    """
    options: dict[str, dict[str, str]] = {}
    names = [provider.name for provider in known]
    for entry in entries:
        if not entry.strip():
            continue
        target, equals, value = entry.partition('=')
        provider, dot, key = target.strip().partition('.')
        if not equals or not dot or not key or provider not in names:
            raise ProviderError(
                f"provider option '{entry}' is not of the form <provider>.<option>=<value>, for "
                f'example openvino.device_type=NPU; known providers: {names_of(known)}'
            )
        options.setdefault(provider, {})[key.strip()] = value.strip()
    return options
