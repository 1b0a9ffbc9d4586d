"""A compiled decoder for aioflows: answers to "List Flow Instances" as the vendor documents them, in one pass."""

from aioflows_decoder._decoder import Decoder, Plan

__all__ = ["PROTOCOL", "Decoder", "Plan"]

PROTOCOL = 1
"""The number of the agreement between aioflows and its decoder. aioflows uses no decoder with another number."""
