"""From a look that waits to its verdicts: what was knowable, the rules' answers, what is promised."""
