"""Commands on finished work: ``python -m training.tools.<command> --help``."""
