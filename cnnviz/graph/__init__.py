"""A network as recorded operators: receptive fields, folding, incremental passes, backward rules."""
