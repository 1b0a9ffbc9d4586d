"""Whether, when and how fast to send again."""
