"""Photos and arrays in, results out, the recipe inside a file."""
