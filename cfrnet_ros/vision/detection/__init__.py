"""Detection of faces and their five landmarks with YuNet."""
