"""Colours of all figures, RGB of 0 to 255: text, background, secondary text, the zero of a colour bar."""

INK, PAPER, FAINT, BAR = (24, 24, 27), (255, 255, 255), (110, 110, 118), (236, 236, 238)
