"""The command `cfrnet-fleet`: restores thousands of recordings on all cores of many machines."""
