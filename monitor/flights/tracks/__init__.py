"""One aircraft's reports: which are believed, who it is, and what it does. Pure."""
