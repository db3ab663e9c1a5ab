"""Drawing: overlay, colour maps, text, image grids, curves."""
