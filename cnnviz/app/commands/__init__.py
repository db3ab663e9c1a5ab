"""Look up."""
