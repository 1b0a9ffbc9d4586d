"""The emulated service: how requests are answered."""
