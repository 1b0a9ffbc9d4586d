"""How a service treats the bounds of a window: included, excluded, rounded, or by wall clocks."""
