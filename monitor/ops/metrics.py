"""What the running service counts about itself, in Prometheus's terms; served at /metrics."""

from prometheus_client import Counter, Gauge

JOB_RUNS = Counter(
    "sitewatch_job_runs_total",
    "Scheduled runs by job and result: done, failed, missed, or skipped because the last run still works.",
    ["job", "result"],
)
SCHEDULER_LAG_S = Gauge(
    "sitewatch_scheduler_lag_seconds",
    "How much later than planned a job was last started.",
    ["job"],
)
POLLS_TOTAL = Counter(
    "sitewatch_polls_total",
    "Polls by provider and outcome: ok, empty, failed or skipped.",
    ["provider", "outcome"],
)
LOOKS_JUDGED_TOTAL = Counter("sitewatch_looks_judged_total", "Looks that were judged.")
SENDS_TOTAL = Counter(
    "sitewatch_sends_total", "Tries to deliver a message by channel and result.", ["channel", "result"]
)
LEADING_GAUGE = Gauge("sitewatch_leading", "1 while this service holds the lease and schedules, else 0.")
