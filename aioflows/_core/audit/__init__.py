"""Which scheduled runs have no instance, came twice or came late."""
