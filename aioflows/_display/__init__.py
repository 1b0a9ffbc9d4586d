"""What may be shown: foreign text, HTML, and secrets that stay hidden."""
