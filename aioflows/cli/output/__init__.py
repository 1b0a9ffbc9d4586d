"""The output of the commands: tables, progress meters, summaries and reports."""
