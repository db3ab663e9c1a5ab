"""Make images by optimisation."""
