"""Answers beyond one label: class heat maps, segmentation, ranking, thumbnails."""
