"""Scripted faults: what goes wrong on purpose."""
