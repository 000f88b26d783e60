"""Replay: a recorded scenario through the real pipeline, on a fresh database, with the scenario's own clock."""
