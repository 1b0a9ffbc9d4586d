"""Flow instances in web frameworks and serialisers: their answers hold what ``to_dict`` returns, or they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pydantic
import pytest
from fastapi import FastAPI

from aioflows import FlowInstance, FlowStatus
from tests.support.instances import ODD_ROWS

BEYOND_JSON = (
    "lone surrogate",
    "large numbers",
)  # texts that UTF-8 cannot hold, and integers of more than 64 bits
ROWS = {name: made for name, made in ODD_ROWS.items() if name not in BEYOND_JSON}
ONE = pydantic.TypeAdapter(FlowInstance)


async def get(app: Any, path: str) -> Any:
    """Give the decoded answer of an ASGI application."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
    }
    scope |= {
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "state": {},
    }
    await app(scope | {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}, receive, send)
    assert sent[0]["status"] == 200
    return json.loads(b"".join(message.get("body", b"") for message in sent))


class Report(pydantic.BaseModel):
    worst: FlowInstance
    others: list[FlowInstance] = []


@pytest.mark.parametrize("name", ODD_ROWS)
def test_pydantic_makes_the_json_of_an_instance_and_reads_it(name: str) -> None:
    instance = ODD_ROWS[name]()
    assert ONE.validate_python(instance) is instance
    if name == "lone surrogate":
        with pytest.raises(ValueError, match="surrogates"):
            ONE.dump_json(instance)
        return
    text = ONE.dump_json(instance)
    assert json.loads(text) == instance.to_dict() == ONE.dump_python(instance, mode="json")
    assert ONE.validate_json(text).to_dict() == instance.to_dict()


def test_a_model_holds_instances_and_survives_its_json() -> None:
    model = Report(worst=ODD_ROWS["answered"](), others=[FlowInstance("a", status=FlowStatus.FAIL)])
    assert Report.model_validate_json(model.model_dump_json()).others == model.others
    assert Report(**model.model_dump()) == model


@pytest.mark.parametrize(
    "wrong", [{}, {"instance_id": ""}, {"instance_id": "a", "trigger_time": "2024-01-01T00:00:00"}, "a", None]
)
def test_pydantic_refuses_what_is_no_instance(wrong: object) -> None:
    with pytest.raises(pydantic.ValidationError):
        ONE.validate_python(wrong)


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_json_schema_names_every_member(mode: Any) -> None:
    schema = ONE.json_schema(mode=mode)
    assert list(schema["properties"]) == list(FlowInstance("a").to_dict())
    assert schema["properties"]["trigger_time"]["anyOf"][0] == {"type": "string", "format": "date-time"}


async def test_fastapi_answers_instances_lists_and_models() -> None:
    app, rows = FastAPI(), [ODD_ROWS["answered"](), FlowInstance("a")]

    @app.get("/one")
    async def one() -> FlowInstance:
        return rows[0]

    @app.get("/many")
    async def many() -> list[FlowInstance]:
        return rows

    @app.get("/report")
    async def report() -> Report:
        return Report(worst=rows[0])

    assert await get(app, "/one") == rows[0].to_dict()
    assert await get(app, "/many") == [row.to_dict() for row in rows]
    assert await get(app, "/report") == {"worst": rows[0].to_dict(), "others": []}
    described = await get(app, "/openapi.json")
    answer = described["paths"]["/one"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/FlowInstance"}
    assert "trigger_time" in described["components"]["schemas"]["FlowInstance"]["properties"]


async def test_litestar_answers_instances_with_an_encoder() -> None:
    litestar: Any = pytest.importorskip("litestar", reason="Litestar is not among the packages of the tests")
    row = ODD_ROWS["answered"]()

    @litestar.get("/many")  # type: ignore[untyped-decorator]
    async def many() -> list[FlowInstance]:
        return [row]

    app = litestar.Litestar([many], type_encoders={FlowInstance: FlowInstance.to_dict})
    assert await get(app, "/many") == [row.to_dict()]
    assert (await get(app, "/schema/openapi.json"))["paths"]["/many"]


@pytest.mark.parametrize("dumps", [orjson.dumps, json.dumps])
@pytest.mark.parametrize("name", ROWS)
def test_an_encoder_refuses_an_instance_or_takes_its_dictionary(dumps: Callable[..., Any], name: str) -> None:
    instance = ROWS[name]()
    with pytest.raises(TypeError, match="FlowInstance"):
        dumps([instance])
    assert json.loads(dumps([instance], default=FlowInstance.to_dict)) == [instance.to_dict()]
