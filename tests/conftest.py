"""Runs ``async def`` tests: in virtual time, or on the ordinary loop where a test is marked ``real_time``."""

from __future__ import annotations

import gc
import inspect
import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.virtual import run_real, run_virtual

PATIENCE = 180
"""Seconds, many times what the slowest ordinary test takes on a busy machine."""

# The same examples in every run, on a busy machine too: what fails, fails again. To look for new ones, leave the profile
# out with --hypothesis-profile=default.
settings.register_profile(
    "seeded", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("seeded")


def pytest_configure() -> None:
    """Undo what the shell hands down, and children would inherit: ignored signals, and a ban on byte code.

    ``nohup`` and background jobs ignore signals. Without byte code, each child compiles the package anew.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", lambda *_: None)):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that hangs, in a loop or at a child that says nothing, so that the run goes on."""
    if not hasattr(signal, "setitimer"):  # Windows
        return (yield)
    limit = PATIENCE * (10 if item.get_closest_marker("long") else 1)
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"not over after {limit} seconds"))
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pytest_collection_finish() -> None:
    """Keep what the imports made out of the collections that follow every async test, which makes them ten times faster."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test to its end, and fail it if it leaves a task, a socket or a complaint behind."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    run = run_real if pyfuncitem.get_closest_marker("real_time") else run_virtual
    run(pyfuncitem.obj(**arguments))
    return True
