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

"""Execution providers that are packages of their own, beside ONNX Runtime's.

Since version 1.22 ONNX Runtime loads providers from libraries: `onnxruntime-qnn` and
`onnxruntime-ep-openvino`, for instance, are installed beside the plain `onnxruntime`. Such a
provider is unknown until its library is registered, and is asked for by device.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any

import onnxruntime as ort

from cfrnet_ros.vision.engine.provider_records import Provider
from cfrnet_ros.vision.errors import reason_of

#: Kinds of devices as ONNX Runtime names them, the one to compute on first.
_KINDS = ('NPU', 'GPU', 'CPU')


def register_plugins(providers: Sequence[Provider]) -> dict[str, str]:
    """Register the libraries of those providers whose packages are installed; once a process.

    Args:
        providers: Providers that may be used.

    Returns:
        Reasons by short name for packages that are installed and cannot be used.

    """
    present = ort.get_available_providers()
    found = {}
    for provider in providers:
        if not provider.plugin or provider.onnx_name in present:
            continue
        if importlib.util.find_spec(provider.plugin) is None:
            continue
        reason = _register(provider.plugin)
        if not reason and not plugin_devices(provider):
            reason = f'finds no device that {provider.plugin} supports on this machine'
        if reason:
            found[provider.name] = reason
    return found


@cache
def _register(package: str) -> str:
    """Register a package's library; returns the reason if it cannot be."""
    register = getattr(ort, 'register_execution_provider_library', None)
    if register is None:
        return f'is in {package}, which needs ONNX Runtime 1.22, and this is {ort.__version__}'
    try:
        module = importlib.import_module(package)
        register(module.get_ep_name(), module.get_library_path())
    except Exception as error:
        return f'is in {package}, whose library cannot be loaded: {reason_of(error)}'
    return ''


def plugin_devices(provider: Provider, wanted: str = '') -> list[Any]:
    """Return the devices of a provider whose library is registered, the best first.

    Args:
        provider: Provider.
        wanted: Kind of device, 'NPU', 'GPU' or 'CPU', alone; '' for any.

    Returns:
        Devices as ONNX Runtime describes them; none for a provider that is part of ONNX Runtime.

    """
    query = getattr(ort, 'get_ep_devices', None)
    if query is None or not provider.plugin:
        return []
    devices = [each for each in query() if each.ep_name == provider.onnx_name]
    devices.sort(key=lambda each: _KINDS.index(_kind(each)))
    return [each for each in devices if not wanted or _kind(each) == wanted]


def _kind(device: Any) -> str:
    name = str(device.device.type.name)
    return name if name in _KINDS else _KINDS[-1]
