"""The networks that judge identity in training, by their names in a config."""

from __future__ import annotations

from typing import TypeAlias

from training.critics.dlib_descriptor import FaceDescriptor
from training.critics.mobilefacenet import IdentityEmbedding

IdentityCritic: TypeAlias = IdentityEmbedding | FaceDescriptor

#: Class of each critic by its name, one for each of `identity_weights.NAMES`.
CRITICS: dict[str, type[IdentityEmbedding] | type[FaceDescriptor]] = {
    'mobilefacenet': IdentityEmbedding,
    'dlib': FaceDescriptor,
}
