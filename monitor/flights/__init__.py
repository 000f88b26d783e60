"""Position reports become visits and looks: functions over records, without SQL, HTTP, clock or logging. Pure."""
