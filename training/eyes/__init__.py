"""Trains the network that measures how far eyes are open, for the node's eye guard."""
