"""Networks by name, weights, preprocessing and its inverse, feature extraction, hooks."""
