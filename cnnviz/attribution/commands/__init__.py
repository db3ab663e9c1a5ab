"""Explain a prediction."""
