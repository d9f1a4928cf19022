"""Describes the machine on which a benchmark ran, for the file with its figures."""

from __future__ import annotations

import os
import platform
from typing import Any

import cv2
import onnxruntime


def machine() -> dict[str, Any]:
    """Return processor, cores, versions, and the load of the machine in the last minute."""
    return {
        'processor': platform.processor() or platform.machine(),
        'cores': os.cpu_count(),
        'onnxruntime': onnxruntime.__version__,
        'opencv': cv2.__version__,
        'load_average_1min': round(os.getloadavg()[0], 2),
    }
