"""The trackers of ultralytics behind our door."""
