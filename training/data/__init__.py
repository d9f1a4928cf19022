"""Faces to train and measure with: manifest, aligned crops, augmented windows."""
