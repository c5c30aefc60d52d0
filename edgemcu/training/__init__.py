"""Training: networks for small photos, and the loop that fits them."""
