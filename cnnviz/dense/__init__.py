"""Answers beyond one label: class heat maps, segmentation, depth, colours, ranking, thumbnails."""
