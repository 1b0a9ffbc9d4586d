"""What the answers of a service say about its set-up, and about the set-up of its user."""
