"""Scripted faults: answers and connections that are wrong on purpose."""
