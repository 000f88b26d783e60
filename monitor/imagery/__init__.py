"""Scenes become looks: functions over records, without SQL, HTTP, clock or logging. Pure."""
