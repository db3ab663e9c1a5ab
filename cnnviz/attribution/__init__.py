"""Which pixels a class score depends on, and whether a map of them is faithful."""
