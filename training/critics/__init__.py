"""Networks that judge restored faces in training: likeness, identity, naturalness.

All but the discriminator are frozen, and their weights are not part of a trained model.
"""
