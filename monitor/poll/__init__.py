"""Rounds of questions to the feeds: what an answer is worth, and which feeds are new."""
