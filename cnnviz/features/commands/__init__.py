"""Look inside the network."""
