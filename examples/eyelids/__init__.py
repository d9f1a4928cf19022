"""Eye openness, blinks and PERCLOS from the crops of `~/face/image`."""
