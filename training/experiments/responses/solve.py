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

"""The step that a set of responses calls for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def gauss_newton(
    responses: Mapping[str, Floats], wanted: Mapping[str, Floats], ridge: float, length: float
) -> Floats:
    """Return the step that lowers the mean figures most for what it changes of single faces.

    With J the responses of all figures of all faces, each set counted alike, and G the wanted sum
    of mean responses, the step lies along -(J'J + ridge * mean(diag(J'J)) * I)^-1 G: a Gauss-Newton
    step, as natural gradients take (Martens, "New insights and perspectives on the natural gradient
    method", JMLR 2020). It is computed through JJ', which has as many rows as there are figures
    instead of moves.

    Args:
        responses: For each set, (faces, figures, M) derivatives of relative figures along M moves.
        wanted: For each set, (figures,) importance of each mean figure; positive to lower it.
        ridge: Ridge, relative to the mean of the diagonal; more keeps to moves that do much.
        length: Length of the step: root mean square of the relative changes of single faces'
            figures that it predicts.

    Returns:
        (M,) lengths of the moves.

    Raises:
        ValueError: No face responds to any move.

    """
    goal = np.sum([wanted[name] @ s.mean(axis=0) for name, s in responses.items()], axis=0)
    moves = len(goal)
    rows = np.concatenate([s.reshape(-1, moves) / np.sqrt(len(s)) for s in responses.values()])
    strength = ridge * float((rows**2).sum()) / moves
    if not strength > 0:
        raise ValueError('no figure of any face responds to any move')
    inner = np.linalg.solve(rows @ rows.T + strength * np.eye(len(rows)), rows @ goal)
    step = rows.T @ inner - goal
    return np.asarray(step * (length / change_of_faces(responses, step)), np.float64)


def change_of_faces(responses: Mapping[str, Floats], step: Floats) -> float:
    """Return the root mean square of the changes of single faces' figures that a step predicts."""
    means = [float(((slopes @ step) ** 2).mean()) for slopes in responses.values()]
    return float(np.sqrt(np.mean(means)))
