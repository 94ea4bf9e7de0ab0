"""ByteTrack over arrays."""
