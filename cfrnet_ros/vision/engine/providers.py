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

"""Which execution providers a request names, and which of them are available, best first."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnxruntime as ort

from cfrnet_ros.vision.engine.plugins import register_plugins
from cfrnet_ros.vision.engine.provider_records import (
    CPU,
    PROVIDERS,
    Options,
    Provider,
    names_of,
)
from cfrnet_ros.vision.engine.session_pool import SessionPool
from cfrnet_ros.vision.errors import ProviderError

#: Request for the best provider available.
AUTO = 'auto'


@dataclass(frozen=True)
class ProviderChoice:
    """Providers to try, in order.

    Attributes:
        requested: Requested short names, or ('auto',).
        candidates: Available providers to try, best first; never empty. The last one is the CPU
            unless `strict` is set.
        strict: Whether to refuse every provider that was not requested.
        options: Provider options by short name, which override the defaults.
        rejected: Reasons by short name for not using a candidate, as an earlier trial found
            them.
        broken: Reasons by short name for providers whose library is installed and cannot be used.
        pool: Sessions that several users share; None if each loads its own.

    """

    requested: tuple[str, ...]
    candidates: tuple[Provider, ...]
    strict: bool = False
    options: Options = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    pool: SessionPool | None = None

    @property
    def remaining(self) -> tuple[Provider, ...]:
        """Candidates that have not been rejected, best first."""
        return tuple(found for found in self.candidates if found.name not in self.rejected)

    @property
    def key(self) -> Hashable:
        """Everything of the choice that decides on which provider a model runs, and how."""
        options = tuple((name, tuple(sorted(o.items()))) for name, o in self.options.items())
        names = tuple(candidate.name for candidate in self.candidates)
        return self.requested, names, self.strict, options, tuple(self.rejected)

    def without(self, provider: str, reason: str) -> ProviderChoice:
        """Return the same choice with one provider rejected.

        Args:
            provider: Short name of the provider.
            reason: Reason, as it will appear in `sessions.EngineSession.reason`.

        """
        return replace(self, rejected={**self.rejected, provider: reason})


def choose_providers(
    request: str = AUTO,
    strict: bool = False,
    available: Sequence[str] | None = None,
    options: Options | None = None,
    known: Sequence[Provider] = PROVIDERS,
    pool: SessionPool | None = None,
) -> ProviderChoice:
    """Turn a request into an ordered list of providers to try.

    Args:
        request: Comma separated short names of `known`, most wanted first, or 'auto' for the
            best available provider.
        strict: Whether to accept nothing but the named providers or, with 'auto', nothing but
            the best available one.
        available: ONNX Runtime's names of the available providers; None asks ONNX Runtime.
        options: Provider options by short name, which override the defaults, for instance
            ``{'openvino': {'device_type': 'NPU'}}``.
        known: Providers that may be used, in the order in which 'auto' prefers them.
        pool: Sessions that several users share; None if each loads its own.

    Returns:
        Choice with at least one candidate.

    Raises:
        ProviderError: A name is unknown or empty, or `strict` is set and none of the named
            providers is available.

    """
    broken = register_plugins(known) if available is None else {}
    installed = ort.get_available_providers() if available is None else available
    present = [provider for provider in known if provider.onnx_name in installed]
    by_name = {provider.name: provider for provider in known}
    names = tuple(part.strip().lower() for part in request.split(','))
    overrides = dict(options or {})
    for name in overrides:
        if name not in by_name:
            raise ProviderError(
                f"provider options are given for an unknown execution provider '{name}'; "
                f'known providers: {names_of(known)}'
            )
    if names == (AUTO,):
        taken = [found for found in present if available is not None or found.suits_auto()]
        candidates = taken or [CPU]
        if strict:
            candidates = candidates[:1]
        return ProviderChoice(names, tuple(candidates), strict, overrides, broken=broken, pool=pool)

    for name in names:
        if name not in by_name:
            hint = ' (auto cannot be combined with other names)' if name == AUTO else ''
            raise ProviderError(
                f"unknown execution provider '{name}'{hint}; known providers: auto,"
                f' {names_of(known)}; available here: {names_of(present) or "none"}'
            )
    candidates = [by_name[name] for name in dict.fromkeys(names) if by_name[name] in present]
    if strict and not candidates:
        raise ProviderError(
            f"none of the execution providers '{', '.join(names)}' is in this build of ONNX "
            f'Runtime, which has: {names_of(present) or "none"}{_told(broken)}; install the build '
            'for your device, or set strict_provider to false to fall back to the CPU'
        )
    if not strict and CPU not in candidates:
        candidates.append(CPU)
    return ProviderChoice(names, tuple(candidates), strict, overrides, broken=broken, pool=pool)


def parse_options(
    entries: Sequence[str], known: Sequence[Provider] = PROVIDERS
) -> dict[str, dict[str, str]]:
    """Parse provider options from `name.key=value` strings, the form of the parameter.

    Args:
        entries: Strings, for instance ``['openvino.device_type=NPU']``; empty ones are skipped.
        known: Providers that may be named.

    Returns:
        Options by short provider name.

    Raises:
        ProviderError: An entry has another form or names an unknown provider.

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
                f"provider option '{entry}' does not have the form <provider>.<option>=<value>,"
                f' for '
                f'example openvino.device_type=NPU; known providers: {names_of(known)}'
            )
        options.setdefault(provider, {})[key.strip()] = value.strip()
    return options


def _told(broken: Mapping[str, str]) -> str:
    return ''.join(f'; {name} {reason}' for name, reason in broken.items())
