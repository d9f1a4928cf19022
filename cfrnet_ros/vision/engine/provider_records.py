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

"""The execution providers that a model may run on: one record for each.

ONNX Runtime is imported where its functions are called: launch files read the records as well.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Options of providers: by short name, names and values of options.
Options = Mapping[str, Mapping[str, str]]


def _no_options(threads: int) -> dict[str, str]:
    return {}


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Provider:
    """An execution provider of ONNX Runtime, and all that the package knows of it.

    Attributes:
        name: Short name, as in the parameter `provider`.
        onnx_name: Name in ONNX Runtime.
        device: Device that the provider computes on, for people.
        source: Package or build of ONNX Runtime that has the provider, as Markdown.
        precision: Precision of the shipped models that runs best, 'int8' or 'fp32'.
        default_options: Function that returns the options that the provider needs to reach its
            device. Its argument is the number of CPU threads for providers with a pool of their
            own, 0 for the provider's choice. Called when a model is loaded.
        suits_auto: Function that says whether `auto` may take the provider on this machine, if
            the installed ONNX Runtime has it. A provider that is named is used in any case.
        plugin: Python package that holds the provider's library, for a provider that is installed
            beside ONNX Runtime, see `plugins`; '' if there is none.
        keeps_compiled: Whether the provider writes what it has compiled, see `compiled`.

    """

    name: str
    onnx_name: str
    device: str
    source: str
    precision: str
    default_options: Callable[[int], dict[str, str]] = _no_options
    suits_auto: Callable[[], bool] = _always
    plugin: str = ''
    keeps_compiled: bool = False

    def options(self, overrides: Options | None = None, threads: int = 0) -> dict[str, str]:
        """Return the options to load a model with.

        Args:
            overrides: Options by short name of a provider; they win over the defaults.
            threads: CPU threads for providers that have their own pool, 0 for their choice.

        Returns:
            Names and values of the options, both as strings.

        """
        return {**self.default_options(threads), **(overrides or {}).get(self.name, {})}


def _tensorrt_options(threads: int) -> dict[str, str]:
    # Building an engine takes minutes; the cache makes the next start quick.
    return {'trt_engine_cache_enable': '1', 'trt_engine_cache_path': str(cache_folder('tensorrt'))}


def _cann_options(threads: int) -> dict[str, str]:
    return {'device_id': '0', 'enable_cann_graph': '1'}


def _qnn_options(threads: int) -> dict[str, str]:
    # HTP is Qualcomm's NPU; without a backend the provider uses its CPU emulation.
    return {
        'backend_path': _qnn_backend(),
        'htp_performance_mode': 'sustained_high_performance',
    }


def _openvino_options(threads: int) -> dict[str, str]:
    # Compiling for an NPU takes long, and for a CPU or GPU some seconds.
    options = {
        'device_type': _openvino_device(),
        'num_streams': '1',
        'cache_dir': str(cache_folder('openvino')),
    }
    if threads:
        options['num_of_threads'] = str(threads)
    return options


def _coreml_options(threads: int) -> dict[str, str]:
    return {
        'ModelFormat': 'MLProgram',
        'MLComputeUnits': 'ALL',
        'RequireStaticInputShapes': '1',
    }


def _openvino_device() -> str:
    """Return 'NPU' if OpenVINO sees Intel's NPU, otherwise 'CPU'; a GPU must be named."""
    import onnxruntime as ort

    # The function exists in the OpenVINO build of ONNX Runtime only.
    query = getattr(ort.capi._pybind_state, 'get_available_openvino_device_ids', None)
    devices = query() if query is not None else []
    return 'NPU' if any(str(device).startswith('NPU') for device in devices) else 'CPU'


def _qnn_backend() -> str:
    """Return the path of the HTP backend in the installed wheel, or its bare name."""
    import onnxruntime as ort

    name = 'QnnHtp.dll' if platform.system() == 'Windows' else 'libQnnHtp.so'
    folders = [Path(ort.__file__).parent / 'capi']
    plugin = importlib.util.find_spec('onnxruntime_qnn')
    if plugin is not None and plugin.origin:
        folders.insert(0, Path(plugin.origin).parent)
    packaged = [folder / name for folder in folders if (folder / name).is_file()]
    return str(packaged[0]) if packaged else name


def cache_folder(name: str) -> Path:
    """Return the folder in which a provider keeps what it has compiled; it may not exist yet."""
    root = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
    return root / 'cfrnet_ros' / name


def _not_a_pc() -> bool:
    """Return whether QNN can find an NPU on this machine.

    Qualcomm's build for PCs emulates the NPU, hundreds of times slower than the CPU itself.
    """
    return platform.machine().lower() not in ('x86_64', 'amd64')


CPU = Provider('cpu', 'CPUExecutionProvider', 'any', '`onnxruntime`', 'int8')

#: All providers, in the order in which `auto` prefers them.
#: Discrete accelerators come first, because they are the fastest and because somebody who
#: installs a build for them has the device; then the NPUs, which leave the CPU free; then
#: OpenVINO, which is available wherever its package is installed, most often on the CPU only;
#: then Core ML; and the CPU, which is always available. Providers of ONNX Runtime that are not
#: listed are never used, above all Azure, which sends data away.
#: FP32 is preferred by providers that run float models at least as fast as models with quantised
#: operators of explicit scale, or that cannot run the latter at all.
PROVIDERS: tuple[Provider, ...] = (
    Provider(
        'tensorrt',
        'TensorrtExecutionProvider',
        'NVIDIA',
        '`onnxruntime-gpu`',
        'fp32',
        _tensorrt_options,
    ),
    Provider('cuda', 'CUDAExecutionProvider', 'NVIDIA', '`onnxruntime-gpu`', 'fp32'),
    Provider(
        'cann',
        'CANNExecutionProvider',
        'Huawei Ascend',
        'ONNX Runtime built with CANN',
        'int8',
        _cann_options,
    ),
    Provider(
        'qnn',
        'QNNExecutionProvider',
        'Qualcomm HTP',
        '`onnxruntime-qnn`',
        'int8',
        _qnn_options,
        _not_a_pc,
        plugin='onnxruntime_qnn',
        keeps_compiled=True,
    ),
    Provider(
        'vitisai',
        'VitisAIExecutionProvider',
        'AMD Ryzen AI, Versal',
        "ONNX Runtime of AMD's Ryzen AI software",
        'int8',
    ),
    Provider(
        'rknpu',
        'RknpuExecutionProvider',
        'Rockchip',
        'ONNX Runtime built with RKNPU',
        'int8',
    ),
    Provider(
        'vsinpu',
        'VSINPUExecutionProvider',
        'VeriSilicon (NXP i.MX 8M Plus, Amlogic)',
        'ONNX Runtime built with VSINPU',
        'int8',
    ),
    Provider(
        'openvino',
        'OpenVINOExecutionProvider',
        'Intel NPU, else CPU',
        '`onnxruntime-openvino`, or `onnxruntime-ep-openvino`',
        'int8',
        _openvino_options,
        plugin='onnxruntime_ep_openvino',
    ),
    Provider(
        'coreml',
        'CoreMLExecutionProvider',
        'Apple',
        '`onnxruntime` on macOS',
        'fp32',
        _coreml_options,
    ),
    CPU,
)


def names_of(providers: Sequence[Provider] = PROVIDERS) -> str:
    """List the short names, separated by commas."""
    return ', '.join(provider.name for provider in providers)
