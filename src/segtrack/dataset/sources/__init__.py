"""Readers of data sets, one module per source: each adds images, labels and findings."""
