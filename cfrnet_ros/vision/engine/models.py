"""The models that are shipped with the package, and how a parameter names one."""

from __future__ import annotations

from pathlib import Path

from cfrnet_ros.vision.engine.providers import NAMES
from cfrnet_ros.vision.errors import ModelError

#: Where the shipped ONNX files and their cards are.
MODEL_DIR = Path(__file__).resolve().parents[2] / 'models'

#: What names the networks that ship in the precision that suits the provider, and what
#: their files' names begin with.
FAMILIES = {'auto': 'cfrnet_256', 'plain': 'cfrnet_plain_256'}

_PRECISIONS = ('fp32', 'int8')

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
        name_or_path: 'auto' (INT8 where the provider gains from it, else FP32), 'fp32' or
            'int8', of the main network; 'plain', 'plain_fp32' or 'plain_int8', the same of
            the network without skip connections; the name of a shipped model; or the path
            of any ONNX file (`~` allowed).
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
    for name in (wanted, *_stems(wanted, provider)):
        if name in shipped:
            return shipped[name]
    path = Path(wanted).expanduser()
    if wanted and path.is_file():
        return path
    raise ModelError(
        f"there is no model '{name_or_path}'; give auto, fp32, int8, plain, plain_fp32, "
        'plain_int8, the path of an ONNX file, or one of the shipped: '
        f'{", ".join(shipped) or "none (the installation is incomplete)"}'
    )


def alternatives(model: Path) -> tuple[Path, ...]:
    """List the files with the same network in another precision.

    Args:
        model: Path of a model; only a shipped one has alternatives.

    Returns:
        Paths of shipped models, in the order in which they are to be tried.

    """
    shipped = shipped_models()
    if shipped.get(model.stem) != model:
        return ()
    stem = model.stem.rpartition('_')[0]
    names = (f'{stem}_{precision}' for precision in _PRECISIONS)
    return tuple(shipped[name] for name in names if name in shipped and name != model.stem)


def _stems(wanted: str, provider: str) -> list[str]:
    """Names of the shipped files that a short name can mean, the preferred one first."""
    preferred = _PRECISIONS if provider in _FLOAT_PROVIDERS else _PRECISIONS[::-1]
    for family, stem in FAMILIES.items():
        if wanted == family:
            return [f'{stem}_{precision}' for precision in preferred]
        for precision in _PRECISIONS:
            if wanted == (precision if family == 'auto' else f'{family}_{precision}'):
                return [f'{stem}_{precision}']
    return []
