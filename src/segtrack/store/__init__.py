"""Results of stages, kept by what went into them."""
