"""The service: jobs, the leader, serving the page, and what is misconfigured."""
