"""Figures of heat maps: a result -> a matplotlib figure."""
