"""The demo: the real node restores a real face that a bad camera sees."""
