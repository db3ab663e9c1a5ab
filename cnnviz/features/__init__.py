"""What a layer, channel or filter responds to in real images."""
