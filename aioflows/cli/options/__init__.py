"""The options of the commands, from their texts to their values."""
