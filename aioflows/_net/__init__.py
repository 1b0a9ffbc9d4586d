"""Requests on asyncio: one request done well, and the engine that sends many."""
