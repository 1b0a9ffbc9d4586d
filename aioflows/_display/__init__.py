"""Safe output: text from outside, HTML, and secrets that stay hidden."""
