"""The models that are shipped with the package, and how a parameter names one."""

from __future__ import annotations

from pathlib import Path

from cfrnet_ros.vision.errors import ModelError

#: Where the shipped ONNX files and their cards are.
MODEL_DIR = Path(__file__).resolve().parents[2] / 'models'

#: What names the networks that ship in the precision that suits the provider, and what
#: their files' names begin with.
FAMILIES = {'auto': 'cfrnet_256', 'plain': 'cfrnet_plain_256'}

#: Precisions that the networks ship in.
PRECISIONS = ('fp32', 'int8')


def shipped_models() -> dict[str, Path]:
    """List the restorers that came with the package.

    Returns:
        Name (the file's stem, for instance 'cfrnet_256_int8') to path, sorted by name.

    """
    return {path.stem: path for path in sorted(MODEL_DIR.glob('*.onnx'))}


def resolve_model(name_or_path: str, preferred: str = 'int8') -> Path:
    """Find the file that a `model` parameter means.

    Args:
        name_or_path: 'auto' (the preferred precision), 'fp32' or 'int8', of the main network;
            'plain', 'plain_fp32' or 'plain_int8', the same of the network without skip
            connections; the name of a shipped model; or the path of any ONNX file (`~` allowed).
        preferred: Precision that suits the provider that is to run the model, one of
            `PRECISIONS`; see `provider_records.Provider.precision`.

    Returns:
        Path of an existing file.

    Raises:
        ModelError: there is no such model; the message lists those there are.

    """
    if preferred not in PRECISIONS:
        raise ValueError(f"preferred must be one of {', '.join(PRECISIONS)}, not '{preferred}'")
    shipped = shipped_models()
    wanted = name_or_path.strip()
    for name in (wanted, *_stems(wanted, preferred)):
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
    names = (f'{stem}_{precision}' for precision in PRECISIONS)
    return tuple(shipped[name] for name in names if name in shipped and name != model.stem)


def _stems(wanted: str, preferred: str) -> list[str]:
    """Names of the shipped files that a short name can mean, the preferred one first."""
    ordered = sorted(PRECISIONS, key=lambda precision: precision != preferred)
    for family, stem in FAMILIES.items():
        if wanted == family:
            return [f'{stem}_{precision}' for precision in ordered]
        for precision in PRECISIONS:
            if wanted == (precision if family == 'auto' else f'{family}_{precision}'):
                return [f'{stem}_{precision}']
    return []
