"""How the service is: logs, outages, heartbeat, metrics, health of jobs and database. Knows no App."""
