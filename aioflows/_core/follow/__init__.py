"""The polls of a follow, and the instances that it has seen."""
