"""Judging what was counted, and telling people when it is unusual."""
