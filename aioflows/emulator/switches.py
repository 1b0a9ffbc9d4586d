"""The switches of the emulator, in six frozen groups.

`World` decides which rows exist, and `Quirks` how the service answers. `Constraints` are the limits of the
service, and `Meanwhile` are the changes between answers. `Access` has the requirements of the gateway, and
`Trouble` has the faults. `Emulator` and the command line accept all fields of the groups as keywords.
"""

from __future__ import annotations

import difflib
from typing import Any

import attrs

from aioflows.emulator.gateway.options import Access, Trouble
from aioflows.emulator.service.constraints import Constraints
from aioflows.emulator.service.options import Meanwhile, Quirks
from aioflows.emulator.world.options import World
from aioflows.errors import QueryError

__all__ = ["GROUPS", "group_switches"]

GROUPS: tuple[type[Any], ...] = (World, Quirks, Constraints, Meanwhile, Access, Trouble)


def group_switches(
    switches: dict[str, object],
) -> tuple[World, Quirks, Constraints, Meanwhile, Access, Trouble]:
    """Return the six groups, made from one dictionary of switches.

    Raises:
        QueryError: a switch is unknown, or its value is not valid.
    """
    owners = {field.name: group for group in GROUPS for field in attrs.fields(group)}
    for name in switches:
        if name not in owners:
            near = difflib.get_close_matches(name, owners, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise QueryError(
                f"unknown switch {name!r} of the emulator{hint or '; python -m aioflows.emulator --help lists all'}"
            )
    world, quirks, constraints, meanwhile, access, trouble = (
        group(**{name: value for name, value in switches.items() if owners[name] is group})
        for group in GROUPS
    )
    return world, quirks, constraints, meanwhile, access, trouble
