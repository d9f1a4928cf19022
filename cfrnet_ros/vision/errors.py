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

"""Errors of `cfrnet_ros.vision`; every message names the cause and the remedy."""

from __future__ import annotations


class VisionError(Exception):
    """Base of all errors that `cfrnet_ros.vision` raises on purpose."""


class ModelError(VisionError):
    """A model file is missing, damaged or of the wrong kind, or its output is not usable."""


class ProviderError(VisionError):
    """An execution provider is unknown or not available, or it could not run a model."""


def reason_of(error: BaseException, limit: int = 300) -> str:
    """Return the reason of a library's error: the end of the first line of its text.

    ONNX Runtime puts the names of files and C++ functions before the reason.

    Args:
        error: Error of another library.
        limit: Largest number of characters, 2 or more.

    """
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text if len(text) <= limit else f'…{text[1 - limit :]}'
