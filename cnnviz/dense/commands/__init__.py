"""Go beyond one label."""
