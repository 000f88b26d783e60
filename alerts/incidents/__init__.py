"""From verdicts to alerts: findings, episodes, and what changed since. Pure."""
