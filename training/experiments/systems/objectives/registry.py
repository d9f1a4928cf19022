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
