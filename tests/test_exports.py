"""The door: what users import, and from where."""

from __future__ import annotations

import inspect

import aioflows
import aioflows.emulator
import aioflows.errors
import aioflows.sync

CONTRACT = {
    "FlowQuery", "FlowSession", "FlowScan", "FlowInstance", "FlowPage", "FlowStatus", "ScheduleType", "AppKey", "Limits",
    "RetryPolicy", "Checkpoint", "ScanStats", "AioflowsError", "QueryError", "TransportError", "AnswerError",
    "ServiceError", "Denied", "ServerFault", "Throttled", "TokenExpired", "BadCredentials", "CompletenessError",
}  # fmt: skip


def test_everything_of_the_contract_is_there() -> None:
    assert set(aioflows.__all__) >= CONTRACT


def test_the_list_of_names_is_sorted_and_true() -> None:
    assert list(aioflows.__all__) == sorted(aioflows.__all__)
    assert all(hasattr(aioflows, name) for name in aioflows.__all__)


def test_every_public_class_and_method_says_what_it_is() -> None:
    for name in aioflows.__all__:
        value = getattr(aioflows, name)
        if inspect.isclass(value):
            assert inspect.getdoc(value), f"{name} has no docstring"
            for member, function in vars(value).items():
                if inspect.isfunction(function) and not member.startswith("_"):
                    assert inspect.getdoc(function), f"{name}.{member} has no docstring"


def test_the_two_doors_take_the_same_words() -> None:
    for name in aioflows.sync.__all__:
        awaited, plain = getattr(aioflows, name), getattr(aioflows.sync, name)
        assert inspect.getdoc(plain)
        offered = {member for member in vars(awaited) if not member.startswith("_")}
        missing = {
            member
            for member in offered - set(vars(plain))
            if member not in ("aclose", "limits", "follow", "undecoded")
        }
        assert not missing, f"aioflows.sync.{name} lacks {', '.join(sorted(missing))}"
        for member in offered & set(vars(plain)):
            ways = [vars(one)[member] for one in (awaited, plain)]
            if inspect.isfunction(ways[0]):
                taken = [list(inspect.signature(way).parameters) for way in ways]
                assert taken[0] == taken[1], f"{name}.{member}"


def test_every_error_is_exported_and_has_one_root() -> None:
    for name in aioflows.errors.__all__:
        assert issubclass(getattr(aioflows, name), aioflows.AioflowsError)


def test_a_query_error_is_a_value_error() -> None:
    assert issubclass(aioflows.QueryError, ValueError)


def test_the_emulator_is_imported_from_its_own_module() -> None:
    assert aioflows.emulator.Emulator.__name__ == "Emulator"
