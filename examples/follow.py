"""Show each failure when it happens, and go on after a restart where the last run ended.

    python examples/follow.py [checkpoint file]

Ctrl-C ends it. It follows the emulator, in which three runs fail one after the other, and ends after the third, unless
AIOFLOWS_URL names a service; then AIOFLOWS_USER_ID, AIOFLOWS_ORG_ID, AIOFLOWS_ACCESS_KEY and AIOFLOWS_SECRET_KEY say who
asks.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from aioflows import AppKey, FlowQuery, FlowSession, FlowStatus, FollowCheckpoint
from aioflows.emulator import Emulator

ALWAYS = (datetime(2024, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
"""The same range in every run, since a checkpoint belongs to its query; `since` says where the first run begins."""


def kept(file: Path | None) -> FollowCheckpoint | None:
    """Return the checkpoint of an earlier run, or None if there is none."""
    if file is None or not file.exists():
        return None
    return FollowCheckpoint.from_json(file.read_text(encoding="utf-8"))


async def follow(session: FlowSession, file: Path | None, emulator: Emulator | None) -> None:
    """Print failures as they appear; with an emulator, let three runs fail, and end after them."""
    now = await session.server_time()
    query = FlowQuery(*ALWAYS, status=FlowStatus.FAIL)
    seen = 0
    async with session.follow(query, since=now, min_wait=0.1, max_wait=1.0, resume=kept(file)) as failures:
        if emulator is not None:
            emulator.insert(int(now.timestamp() * 1000) + 1, status=FlowStatus.FAIL)
        async for instances in failures.batches():
            for instance in instances:
                print(instance.trigger_time, ascii(instance.flow_name), "has failed", flush=True)
            # Kept after the rows, so that a crash in between shows some of them again and loses none.
            if file is not None:
                file.write_text(failures.checkpoint().to_json(), encoding="utf-8")  # noqa: ASYNC240  (a small file)
            seen += len(instances)
            if emulator is not None:
                if seen >= 3:
                    break
                emulator.insert(int(now.timestamp() * 1000) + 1 + seen, status=FlowStatus.FAIL)


async def main() -> None:
    """Follow the service, or the emulator."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    async with AsyncExitStack() as stack:
        emulator, url = None, os.environ.get("AIOFLOWS_URL")
        key = os.environ.get("AIOFLOWS_ACCESS_KEY")
        if url is None:
            # With the same seed, two runs within a second would have failures of the same ids.
            emulator = await stack.enter_async_context(Emulator(1_000, seed=os.getpid()))
            url = emulator.url
        session = FlowSession(
            url,
            user_id=os.environ.get("AIOFLOWS_USER_ID", "u"),
            org_id=os.environ.get("AIOFLOWS_ORG_ID", "o"),
            auth=AppKey(key, os.environ["AIOFLOWS_SECRET_KEY"]) if key else None,
        )
        await follow(await stack.enter_async_context(session), file, emulator)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
