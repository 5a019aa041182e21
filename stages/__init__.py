"""One thin shell per pipeline stage: read, call, write."""
