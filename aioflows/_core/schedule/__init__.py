"""When a Quartz cron expression runs: its fields, the days it selects, and the instants in a zone."""
