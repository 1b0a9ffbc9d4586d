"""The compiled decoder, if it is installed: a distribution of its own, ``enos-aioflows-decoder`` in the folder ``decoder``.

It reads answers as the vendor documents them, and refuses all others, which are then read without it. Its results
equal those of `aioflows._core.wire`, which is the contract: ``tests/decoder_fuzz.py`` compares them.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING

from aioflows.models import FlowInstance, StoredInstance

if TYPE_CHECKING:
    from aioflows_decoder import Decoder

__all__ = ["compiled_decoder", "decoder_name"]

_PROTOCOL = 1
_NAME = "enos-aioflows-decoder"


@cache
def compiled_decoder() -> Decoder | None:
    """Return the compiled decoder. None means that it is not installed, or switched off by ``AIOFLOWS_PURE=1``.

    A decoder that does not work with this version of aioflows is not used, and a `RuntimeWarning` says so.
    """
    if os.environ.get("AIOFLOWS_PURE", "") not in ("", "0"):
        return None
    try:
        import aioflows_decoder  # noqa: PLC0415  (optional)

        if aioflows_decoder.PROTOCOL == _PROTOCOL:
            return aioflows_decoder.Decoder(StoredInstance, FlowInstance)
        problem = f"its protocol is {aioflows_decoder.PROTOCOL}, not {_PROTOCOL}"
    except ModuleNotFoundError as error:
        if error.name == "aioflows_decoder":
            return None
        problem = str(error)
    except (ImportError, AttributeError, TypeError) as error:
        problem = str(error)
    warnings.warn(
        f"{_NAME} is installed, but does not work with this version of aioflows: {problem}; answers are decoded without "
        "it. Install the version that belongs to this one, or set AIOFLOWS_PURE=1",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def decoder_name() -> str:
    """Return the name of the decoder at work: "compiled" or "pure Python"."""
    return "pure Python" if compiled_decoder() is None else "compiled"
