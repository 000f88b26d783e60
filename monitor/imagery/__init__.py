"""Scenes become looks: pure functions over records, without SQL, HTTP, clock or logging."""
