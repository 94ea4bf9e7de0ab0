"""Masks of boxes by Segment Anything."""
