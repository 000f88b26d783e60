"""Position reports become visits and looks: pure functions over records, without SQL, HTTP, clock or logging."""
