"""Answer for each place of a photo."""
