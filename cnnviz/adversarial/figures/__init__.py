"""Figures: a result to uint8 RGB (H, W, 3)."""
