"""Figures of adversarial files, as matplotlib figures."""
