"""Figures: a result to a matplotlib Figure, and bare images, uint8 RGB (H, W, 3)."""
