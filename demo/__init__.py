"""The demo: a bad camera sees a real face, and the real node restores it."""
