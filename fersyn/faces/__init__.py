"""From a picture to an aligned face: detection, 68 landmarks, one alignment for everything, heatmaps."""
