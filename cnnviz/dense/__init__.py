"""One answer per place: class heat maps."""
