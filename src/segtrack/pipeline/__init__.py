"""The stages, their order, and what keeps their results true."""
