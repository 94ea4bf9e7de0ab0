"""Readers of data sets. Each module and package in here declares one source and registers it."""
