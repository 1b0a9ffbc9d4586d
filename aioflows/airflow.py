"""A sensor and a deferrable trigger for Apache Airflow 3 that wait for flow instances.

    FlowInstanceSensor(task_id="wait", instance_ids="{{ ti.xcom_pull('start') }}", conn_id="enos")

needs ``pip install 'enos-aioflows[airflow]'``.

1. Credentials come from an Airflow connection, by its id. The serialized trigger holds the id only.
2. All triggers of a triggerer that use the same connection share one session, so they share its polls.
3. A trigger may run twice, as after a restart of its triggerer. It only reads, so the event is the same.

The fields of the connection: *host* is the address of the API gateway, as in ``https://apigw.example.com``.
*login* and *password* are the access key and the secret key; leave them empty if the gateway asks for none.
*extra* is JSON with ``user_id`` and ``org_id``, and perhaps ``server_timezone``, ``first_page`` and ``allow_http``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

import attrs

import aioflows.sync
from aioflows import AioflowsError, AppKey, FlowInstance, FlowSession, FlowStatus, QueryError

try:
    from airflow.sdk import BaseHook, BaseSensorOperator, PokeReturnValue
    from airflow.sdk.exceptions import AirflowException
    from airflow.triggers.base import BaseTrigger, TriggerEvent
except ImportError as error:
    raise ImportError("aioflows.airflow needs Airflow 3.1: pip install 'enos-aioflows[airflow]'") from error

__all__ = ["FlowInstanceSensor", "FlowInstanceTrigger"]

_FINAL: Final = tuple(status.name for status in FlowStatus if status.is_final)
_EXTRAS: Final = ("server_timezone", "first_page", "allow_http")
_ONE_LOOK: Final = 300.0
"""The longest time of one look at the instances by a sensor that does not defer (seconds)."""


class FlowInstanceTrigger(BaseTrigger):  # type: ignore[misc]  # Airflow is optional
    """A trigger that fires when all instances have one of the statuses.

    The payload of its event is a mapping. With ``"status": "done"`` it has ``"instances"``, the name of each
    status by the id. With ``"status": "error"`` it has the ``"message"`` of the error.

    Args:
        instance_ids: the ids of the instances.
        until: the names of the statuses that end the wait.
        conn_id: the id of the Airflow connection.
        poll: the longest interval between two polls (seconds).
        grace: how long an instance may stay unknown to the service (seconds).
    """

    def __init__(
        self,
        instance_ids: Sequence[str],
        until: Sequence[str] = _FINAL,
        conn_id: str = "enos",
        poll: float = 30.0,
        grace: float = 60.0,
    ) -> None:
        super().__init__()
        self.instance_ids = list(instance_ids)
        self.until = list(until)
        self.conn_id = conn_id
        self.poll = poll
        self.grace = grace

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class, and the arguments that make the same trigger. No secret is in them."""
        return "aioflows.airflow.FlowInstanceTrigger", {
            "instance_ids": self.instance_ids,
            "until": self.until,
            "conn_id": self.conn_id,
            "poll": self.poll,
            "grace": self.grace,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event."""
        try:
            service = _service_of(await BaseHook.aget_connection(self.conn_id))
            async with _shared(service) as session:
                found = await session.wait(self.instance_ids, self.until, poll=self.poll, grace=self.grace)
            yield TriggerEvent({"status": "done", "instances": _outcomes(found)})
        except AioflowsError as error:
            yield TriggerEvent({"status": "error", "message": f"{type(error).__name__}: {error}"})


class FlowInstanceSensor(BaseSensorOperator):  # type: ignore[misc]  # Airflow is optional
    """A sensor that waits until flow instances are finished, and fails if one did not end well.

    It defers, so it uses no worker slot while it waits. The task fails after ``timeout`` seconds, an argument
    of every sensor. ``soft_fail`` skips it instead. The result (XCom) is the name of each status by the id.

    Args:
        instance_ids: the id of an instance, or several (templated).
        until: the names of the statuses that end the wait. Default: every final status.
        success: the names of the statuses with which the task succeeds. Default: SUCCESS.
        conn_id: the id of the Airflow connection (templated). Default: "enos".
        poll: the longest interval between two polls (seconds). Default: 30.
        grace: how long an instance may stay unknown to the service (seconds). Default: 60.
        deferrable: False to look every ``poke_interval`` seconds in a worker, or with
            ``mode="reschedule"``. Default: True.
        given: the arguments of every sensor.
    """

    template_fields: Sequence[str] = ("instance_ids", "conn_id")

    def __init__(
        self,
        *,
        instance_ids: str | Sequence[str],
        until: Collection[str] = _FINAL,
        success: Collection[str] = ("SUCCESS",),
        conn_id: str = "enos",
        poll: float = 30.0,
        grace: float = 60.0,
        deferrable: bool = True,
        **given: Any,
    ) -> None:
        super().__init__(**given)
        self.instance_ids = instance_ids
        self.until = until
        self.success = success
        self.conn_id = conn_id
        self.poll = poll
        self.grace = grace
        self.deferrable = deferrable

    def execute(self, context: Any) -> Any:
        """Defer to a `FlowInstanceTrigger`, or look again and again if the sensor does not defer."""
        if not self.deferrable:
            return super().execute(context)
        trigger = FlowInstanceTrigger(self._ids, list(self.until), self.conn_id, self.poll, self.grace)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=self.timeout)
        return None

    def execute_complete(
        self,
        context: Any,  # noqa: ARG002  (Airflow passes it)
        event: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """Return the outcome that the trigger has sent.

        Raises:
            AirflowException: the wait failed, or an instance did not end well.
        """
        if event is None or event["status"] != "done":
            raise AirflowException("the trigger sent no event" if event is None else event["message"])
        return self._checked(event["instances"])

    def poke(self, context: Any) -> PokeReturnValue:  # noqa: ARG002  (Airflow passes it)
        """Look at the instances once."""
        service = _service_of(BaseHook.get_connection(self.conn_id))
        with service.sync_session() as session:
            found = session.wait(self._ids, until=set(FlowStatus), timeout=_ONE_LOOK, grace=self.grace)
        outcomes = _outcomes(found)
        if set(outcomes.values()) <= set(self.until):
            return PokeReturnValue(is_done=True, xcom_value=self._checked(outcomes))
        return PokeReturnValue(is_done=False)

    @property
    def _ids(self) -> list[str]:
        return [self.instance_ids] if isinstance(self.instance_ids, str) else list(self.instance_ids)

    def _checked(self, outcomes: Mapping[str, str]) -> dict[str, str]:
        bad = [f"{name} ({status})" for name, status in outcomes.items() if status not in set(self.success)]
        if bad:
            raise AirflowException(
                f"{len(bad)} of {len(outcomes)} instances ended otherwise: {', '.join(bad[:20])}"
            )
        return dict(outcomes)


def _outcomes(instances: Sequence[FlowInstance]) -> dict[str, str]:
    return {one.instance_id: getattr(one.status, "name", str(one.status)) for one in instances}


# Sessions


@attrs.frozen
class _Service:
    """The service that a connection names. Two connections to the same service and user are equal."""

    url: str
    login: str = attrs.field(repr=False)
    password: str = attrs.field(repr=False)
    extra: str = attrs.field(repr=False)

    def settings(self) -> dict[str, Any]:
        """Return the arguments of a session."""
        extra = json.loads(self.extra)
        missing = [name for name in ("user_id", "org_id") if not isinstance(extra.get(name), str)]
        if missing:
            raise QueryError(f"the extra of the Airflow connection must be JSON with {' and '.join(missing)}")
        return {
            "base_url": self.url,
            "user_id": extra["user_id"],
            "org_id": extra["org_id"],
            "auth": AppKey(self.login, self.password) if self.login or self.password else None,
            **{name: extra[name] for name in _EXTRAS if name in extra},
        }

    def session(self) -> FlowSession:
        return FlowSession(**self.settings())

    def sync_session(self) -> aioflows.sync.FlowSession:
        return aioflows.sync.FlowSession(**self.settings())


def _service_of(connection: Any) -> _Service:
    host = connection.host or ""
    if "://" not in host:
        host = f"{connection.schema or 'https'}://{host}"
    url = f"{host}:{connection.port}" if connection.port else host
    extra = json.dumps(connection.extra_dejson, sort_keys=True)
    return _Service(url, connection.login or "", connection.password or "", extra)


@attrs.define
class _OpenSession:
    """A session that several triggers use, and their number."""

    session: FlowSession
    users: int = 0


_open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Service, _OpenSession]] = WeakKeyDictionary()


@asynccontextmanager
async def _shared(service: _Service) -> AsyncIterator[FlowSession]:
    """Return the session with a service that all triggers of this event loop share. The last one closes it."""
    sessions = _open.setdefault(asyncio.get_running_loop(), {})
    shared = sessions.get(service)
    if shared is None:
        shared = sessions[service] = _OpenSession(service.session())
        await shared.session.__aenter__()
    shared.users += 1
    try:
        yield shared.session
    finally:
        shared.users -= 1
        if not shared.users:
            del sessions[service]
            await shared.session.aclose()
