"""From an alert to a message that arrived: what is owed, composed, sent and tried again."""
