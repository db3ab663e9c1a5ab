"""Figures of results in Python: ``cnnviz.figure``."""
