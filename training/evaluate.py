"""Measure the shipped ONNX files on the held-out people: ``python -m training.evaluate``.

See `training.evaluation`.
"""

from __future__ import annotations

from training.evaluation.main import main

if __name__ == '__main__':
    main()
