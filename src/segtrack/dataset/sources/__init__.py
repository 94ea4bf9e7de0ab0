"""Readers of data sets. A module or package in here declares one source and registers it; ``port``
and ``drawing`` are what they share."""
