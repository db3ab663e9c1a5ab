"""Attack and measure robustness."""

ORDER = ("adversarial", "universal", "sticker", "robustness")
