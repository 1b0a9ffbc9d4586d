"""The decision to send a request again: whether, when, and at which rate."""
