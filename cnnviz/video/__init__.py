"""Clips in and out, optical flow, temporal coherence."""
