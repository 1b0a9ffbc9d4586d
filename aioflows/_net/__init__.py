"""Requests on asyncio: one request with its retries, and the engine that sends many."""
