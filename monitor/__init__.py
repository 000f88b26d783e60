"""Watching: reading the world through feeds, and turning what they say into visits and counts."""
