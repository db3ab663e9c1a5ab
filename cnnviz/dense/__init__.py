"""Answers beyond one label: class heat maps, segmentation, depth, ranking, thumbnails."""
