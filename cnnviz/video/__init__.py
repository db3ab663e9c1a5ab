"""Clips in and out: videos through PyAV, moving pictures through Pillow, one frame at a time.

A frame is upright uint8 RGB (H, W, 3) with its time in seconds; a clip is written whole or not at all.
"""

from cnnviz.video.clip import Clip, Frame, moves, read
from cnnviz.video.writing import KINDS, kind, write

__all__ = ["KINDS", "Clip", "Frame", "kind", "moves", "read", "write"]
