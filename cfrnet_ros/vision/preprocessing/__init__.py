"""From the picture to what networks look at: aligned crops, exposure, noise."""
