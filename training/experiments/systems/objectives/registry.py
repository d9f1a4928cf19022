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

"""The objectives by the names that the rows' file gives them."""

from __future__ import annotations

from training.experiments.systems.objectives.codeformer import (
    CodebookObjective,
    CodesObjective,
    FidelityObjective,
)
from training.experiments.systems.objectives.gfpgan import GfpganObjective
from training.experiments.systems.objectives.objective import Objective
from training.experiments.systems.objectives.osdface import DictionaryObjective, StepObjective
from training.experiments.systems.objectives.restoration import (
    FaceFusionObjective,
    HiFaceGanObjective,
    Restoration,
)

OBJECTIVES: dict[str, type[Objective]] = {
    'restoration': Restoration,
    'hifacegan': HiFaceGanObjective,
    'gfpgan': GfpganObjective,
    'codeformer_codebook': CodebookObjective,
    'codeformer_codes': CodesObjective,
    'codeformer_fidelity': FidelityObjective,
    'osdface_dictionary': DictionaryObjective,
    'osdface_step': StepObjective,
    'facefusion': FaceFusionObjective,
}
