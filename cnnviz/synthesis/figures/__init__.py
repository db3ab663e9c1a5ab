"""Figures of synthesized images, as matplotlib figures."""
