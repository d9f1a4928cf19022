"""The models that are shipped with the package, and how a parameter names one."""

from __future__ import annotations

from pathlib import Path

from cfrnet_ros.vision.errors import ModelError
from cfrnet_ros.vision.providers import NAMES

#: Where the shipped ONNX files and their cards are.
MODEL_DIR = Path(__file__).resolve().parent.parent / 'models'

#: Providers that run float faster than, or as fast as, quantised operators with
#: explicit scales, or that cannot take those at all.
_FLOAT_PROVIDERS = ('tensorrt', 'cuda', 'coreml')


def shipped_models() -> dict[str, Path]:
    """List the restorers that came with the package.

    Returns:
        Name (the file's stem, for instance 'cfrnet_256_int8') to path, sorted by name.

    """
    return {path.stem: path for path in sorted(MODEL_DIR.glob('*.onnx'))}


def resolve_model(name_or_path: str, provider: str = 'cpu') -> Path:
    """Find the file that a `model` parameter means.

    Args:
        name_or_path: 'auto' (INT8 where the provider gains from it, else FP32), 'fp32',
            'int8', the name of a shipped model, or the path of any ONNX file (`~` allowed).
        provider: short name of the provider that is to run it (see `providers.NAMES`).

    Returns:
        Path of an existing file.

    Raises:
        ModelError: there is no such model; the message lists those there are.

    """
    if provider not in NAMES:
        raise ValueError(f"unknown provider '{provider}'; known are: {', '.join(NAMES)}")
    shipped = shipped_models()
    wanted = name_or_path.strip()
    if wanted in shipped:
        return shipped[wanted]
    if wanted in ('auto', 'fp32', 'int8'):
        order = [wanted]
        if wanted == 'auto':
            order = ['fp32', 'int8'] if provider in _FLOAT_PROVIDERS else ['int8', 'fp32']
        for precision in order:
            for name, path in shipped.items():
                if name.endswith(f'_{precision}'):
                    return path
    path = Path(wanted).expanduser()
    if wanted and path.is_file():
        return path
    raise ModelError(
        f"there is no model '{name_or_path}'; give auto, fp32, int8, the path of an ONNX file, or "
        f'one of the shipped: {", ".join(shipped) or "none (the installation is incomplete)"}'
    )
