"""What compilers and simulators of NPUs make of the shipped models: ``make test-npu``."""
