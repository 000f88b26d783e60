"""Judging the stored past: what each rule would have said, look by look. Pure."""
