"""Views of restored faces: blended into the frame, as a camera of their own, for debugging."""
