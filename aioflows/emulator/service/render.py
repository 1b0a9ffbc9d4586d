"""Rows as JSON text, made from one template for each flow.

Benchmarks read pages of 500 rows. Encoding each row as a dict would cost several times as much.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from aioflows.emulator.service.time_forms import written
from aioflows.emulator.world.clock import Clock, stamp
from aioflows.emulator.world.flows import Flow
from aioflows.models import FlowStatus

PageRow = tuple[str, int, int, int, int | None, int | None, int]
"""id, flow, status, trigger_ms, start_ms, end_ms, create_ms."""

# Placeholders for the texts of a row. A template is encoded with characters of the private use area, which no
# flow name has and JSON does not escape. The finished template has control characters instead, which JSON
# never has.
_ID_PLACE, _STAMP_PLACE = "\ue000", "\ue001"
_ID, _STAMP = b"\x01", b"\x02"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Renderer:
    """A writer of rows as members of ``flowInsts``.

    Args:
        flows: the flows, by number.
        trigger_clock: the clock for trigger times.
        other_clocks: the clocks for start, end and creation times. In a documented sample these differ.
        absent: True to leave out a time that does not exist, False to write null.
        siblings: True to add ``alertMode`` and ``calDt``.
        unescaped: True to leave the graph unescaped.
        times: the form of times, one of `TIME_FORMS`.
        numbers_as_texts: True to write the status and the id of the flow as texts.
    """

    def __init__(
        self,
        flows: Sequence[Flow],
        trigger_clock: Clock,
        other_clocks: Sequence[Clock],
        *,
        absent: bool = False,
        siblings: bool = False,
        unescaped: bool = False,
        times: str = "text",
        numbers_as_texts: bool = False,
    ) -> None:
        self._flows = flows
        self._trigger_clock = trigger_clock
        self._other_clocks = other_clocks
        self._absent = absent
        self._siblings = siblings
        self._unescaped = unescaped
        self._form = times
        self._numbers_as_texts = numbers_as_texts
        self._templates: dict[int, tuple[bytes, bytes]] = {}
        quote = '"' if numbers_as_texts else ""
        self._states = {
            int(one): f'{quote}{int(one)}{quote},"statusDesc":"{one.name}",' for one in FlowStatus
        }

    def rows(self, rows: Iterable[PageRow]) -> list[bytes]:
        """Return one JSON object for each row, in UTF-8."""
        if self._form != "text":
            return [self._in_another_form(row) for row in rows]
        trigger_text, template = self._trigger_clock.local, self._templates
        start_text, end_text, create_text = (clock.local for clock in self._other_clocks)
        texts = []
        for id, flow, status, trigger, start, end, create in rows:
            head, tail = template.get(flow) or self._template(flow)
            local = trigger_text(trigger)
            times = self._times(
                f'"{local}"',
                "null" if start is None else f'"{start_text(start)}"',
                "null" if end is None else f'"{end_text(end)}"',
            )
            create_ms = create % 1000
            fraction = f"{create_ms:03}".rstrip("0") if create_ms else "0"  # as Java prints it
            texts.append(
                head.replace(_ID, id.encode()).replace(_STAMP, stamp(local).encode())
                + f'{self._states[status]}{times}"timestamp":"{create_text(create)}.{fraction}"'.encode()
                + (tail if not self._siblings else self._sibling_fields(local) + tail)
            )
        return texts

    def _in_another_form(self, row: PageRow) -> bytes:
        id, flow, status, trigger, start, end, create = row
        head, tail = self._templates.get(flow) or self._template(flow)
        local = self._trigger_clock.local(trigger)
        started, ended, created = (
            "null" if ms is None else written(self._form, ms, clock)
            for ms, clock in zip((start, end, create), self._other_clocks, strict=True)
        )
        times = self._times(written(self._form, trigger, self._trigger_clock), started, ended)
        return (
            head.replace(_ID, id.encode()).replace(_STAMP, stamp(local).encode())
            + f'{self._states[status]}{times}"timestamp":{created}'.encode()
            + (tail if not self._siblings else self._sibling_fields(local) + tail)
        )

    def _times(self, triggered: str, started: str, ended: str) -> str:
        if self._absent:
            started = "" if started == "null" else f'"startTime":{started},'
            ended = "" if ended == "null" else f'"endTime":{ended},'
            return f'"triggerTime":{triggered},{started}{ended}'
        return f'"triggerTime":{triggered},"startTime":{started},"endTime":{ended},'

    @staticmethod
    def _sibling_fields(local: str) -> bytes:
        return f',"alertMode":3,"calDt":"{local[:10]}"'.encode()

    def _template(self, number: int) -> tuple[bytes, bytes]:
        flow = self._flows[number]
        graph = _json(_graph(flow))
        graph = f'"{graph}"' if self._unescaped else _json(graph)
        head = {
            "instanceId": _ID_PLACE,
            "flowId": str(flow.id) if self._numbers_as_texts else flow.id,
            "flowName": flow.name,
            "freq": flow.cron,
            "cycle": flow.cycle,
            "parameters": flow.parameters,
            "doAs": flow.do_as,
        }
        tail = {
            "virtual": flow.look % 50 == 0,
            "owner": flow.owner,
            "hasEditPri": flow.look % 4 != 0,
            "hasReadPri": True,
            "isCancelled": False,
        }
        text = f'{_json(head)[:-1]},"graph":{graph},"status":'
        marked = text.encode().replace(_ID_PLACE.encode(), _ID).replace(_STAMP_PLACE.encode(), _STAMP)
        made = self._templates[number] = marked, f",{_json(tail)[1:]}".encode()
        return made


def _graph(flow: Flow) -> dict[str, object]:
    """Return the task graph, with the members of the documented sample. Ids are ints or texts, by flow."""
    text_ids, stateful = flow.look % 3 == 0, flow.look % 5 == 0
    tasks: list[dict[str, object]] = []
    for place, (id, name) in enumerate(flow.tasks):
        task: dict[str, object] = {
            "taskName": name,
            "taskInstId": f"{id}-{_STAMP_PLACE}",
            "x": round(0.002 + place * 0.1, 4),
            "y": 0.002,
            "taskId": str(id) if text_ids else id,
            "nodeId": f"t_{id}",
        }
        if stateful:
            task["status"] = 1
        tasks.append(task)
    relations = [
        {"from": f"t_{one}", "to": f"t_{other}"}
        for (one, _), (other, _) in zip(flow.tasks, flow.tasks[1:], strict=False)
    ]
    return {
        "creator": flow.owner,
        "freq": flow.cron,
        "alertMode": 3,
        "owners": f"{flow.owner};ops" if flow.look % 7 == 0 else flow.owner,
        "cycle": flow.cycle,
        "doAs": flow.do_as,
        "flows": [],
        "alertTo": "",
        "name": flow.name,
        "instId": _ID_PLACE,
        "id": str(flow.id) if text_ids else flow.id,
        "relations": relations,
        "parameters": flow.parameters,
        "appId": "",
        "tasks": tasks,
    }
