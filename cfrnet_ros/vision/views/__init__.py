"""Pictures and geometry of restored faces: in the frame, as a camera of its own, for debugging."""
