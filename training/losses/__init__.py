"""Cycle-Consistent Fixed-Point Training: the terms of the loss, and how much each weighs."""
