"""Comparisons that decided something: ``python -m training.experiments.<command> --help``."""
