"""The compiled decoder: it reads what is documented, gives what the pure way gives, and refuses all else."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._compiled import compiled_decoder
from aioflows._core.wire.search import read_search
from aioflows._core.wire.zone import Zone
from aioflows._tables.columns import Layout
from aioflows.arrow.from_bytes import AnswerColumns
from aioflows.arrow.from_instances import text_batch
from aioflows.arrow.from_plans import planned_members
from aioflows.models import NAIVE_EPOCH, FlowInstance, StoredInstance
from tests.decoder_fuzz import answers, compare, run
from tests.support.long import long_but
from tests.support.mutations import mutated
from tests.support.odd_answers import PLAIN, body_of, damaged, near_times, numbered, odd_rows, undecoded

if TYPE_CHECKING:
    from aioflows_decoder import Decoder

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "decoder" / "pyproject.toml").read_text(encoding="utf-8"))
CHINA = Zone.parse("GMT+8")


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    found = compiled_decoder()
    if found is None:
        pytest.skip("the compiled decoder is not installed: pip install ./decoder")
    return found


def plain(**members: object) -> bytes:
    return body_of(numbered(members))


def with_text(name: str, text: bytes) -> bytes:
    """Return an answer of one row, with a value as it is written."""
    return plain(**{name: "PLACE"}).replace(b'"PLACE"', text)


class TestWhatItReads:
    @pytest.mark.parametrize("rows", [1, 3, 40])
    def test_a_documented_answer(self, decoder: Decoder, rows: int) -> None:
        assert compare(decoder, body_of(numbered(*[{}] * rows)))

    def test_the_sample_of_the_vendor(self, decoder: Decoder) -> None:
        sample = ROOT / "tests" / "samples" / "list-flow-instances.answer.json"
        assert compare(decoder, sample.read_bytes())

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("flowName", b'"\\u98ce\\ud83c\\udf00\\b\\f\\n\\r\\t\\\\\\/\\""'),
            ("flowName", '"\x7f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff"'.encode()),
            ("flowName", b'""'),
            ("parameters", b"null"),
            ("graph", b"null"),
            ("graph", b'"\\u0000"'),
            ("flowId", b"-999999999999999999"),
            ("status", b"0"),
            ("virtual", b"null"),
            ("startTime", b'"2024-02-29T23:59:59.123456"'),
            ("endTime", b'"0001-01-01 00:00:00"'),
            ("timestamp", b'"9999-12-31 23:59:59.9"'),
            ("triggerTime", b'"2000-02-29T00:00:00.999"'),
        ],
    )
    def test_values_of_the_documented_types(self, decoder: Decoder, name: str, text: bytes) -> None:
        assert compare(decoder, with_text(name, text))

    def test_members_in_any_order_and_any_white_space(self, decoder: Decoder) -> None:
        rows = [dict(sorted(PLAIN.items())), dict(reversed(PLAIN.items()))]
        answer = {"msg": "OK", "data": {"count": 2, "flowInsts": rows}, "code": 0}
        assert compare(decoder, json.dumps(answer, indent="\t").encode() + b" \r\n")

    def test_a_text_that_many_rows_have_is_made_once(self, decoder: Decoder) -> None:
        one, other = read_search(body_of(numbered({}, {}))).instances(CHINA)
        assert one.flow_name is other.flow_name


class TestWhatItRefuses:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            *[("startTime", b'"%b"' % time.encode()) for time in (
                "2023-02-29 00:00:00", "1900-02-29 00:00:00", "2024-01-91 00:00:00", "2024-04-31 00:00:00", "2024-00-01 00:00:00",
                "2024-13-01 00:00:00", "2024-01-00 00:00:00", "0000-01-01 00:00:00", "2024-01-01 24:00:00", "2024-01-01 23:60:00",
                "2024-01-01 23:59:60", "202\x7f-01-01 00:00:00", "\x7f024-01-01 00:00:00", "2024-01-01 00:00:00.", "2024-01-01 00:00:00.1234567",
                "2024-01-01 00:00:00Z", "2024-01-01", "", "2024-01-01 00:00", "2024-01-01x00:00:00", "2024-01-01 00:00:0a", "2024-01-01\\u002000:00:00",
            )],
            *[("triggerTime", text) for text in (b"null", b'""', b"1704067200000")],
            *[("instanceId", text) for text in (b"null", b'""', b"7")],
            *[("flowId", text) for text in (b"-0", b"007", b"1.0", b"1e3", b"1000000000000000000", b'"7"', b"true", b"-", b"NaN", b"nul")],
            *[("virtual", text) for text in (b"1", b'"true"', b"tru", b"True")],
            *[("flowName", text) for text in (
                b"7", b'"\\ud83d"', b'"\\udf00"', b'"\\ud83d\\u0041"', b'"\\x"', b'"\\u00g0"', b'"\x1f"', b'"\n"', b'"\x00"', b'"\xff"', b'"\x80"',
                b'"\xc0\xaf"', b'"\xc3"', b'"\xe0\x9f\xbf"', b'"\xed\xa0\x80"', b'"\xf0\x8f\xbf\xbf"', b'"\xf4\x90\x80\x80"', b'"\xf5\x80\x80\x80"', b'"',
            )],
            *[("graph", text) for text in (b"{}", b"[1]", b"1", b'"\xff"')],
            *[("parameters", text) for text in (b"{}", b'[{"a":"]"}]')],
        ],
    )  # fmt: skip
    def test_any_other_value(self, decoder: Decoder, name: str, text: bytes) -> None:
        """Such an answer is read without it, or is an error there."""
        assert decoder.plan(with_text(name, text)) is None

    @pytest.mark.parametrize("change", [
        (b'"flowId":7', b'"flowId":7,"flowId":7'), (b'"flowId":7', b'"flowId":null,"flowId":7'), (b'"flowId":7', b'"more":7'), (b'"flowId"', b'"flow\\u0049d"'),
        (b'"flowId":', b'"flowId" 7'), (b'"code":0', b'"code":1'), (b'"code":0', b'"code":"0"'), (b'"code":0', b'"code":0.0'), (b'"code":0', b'"code":0,"code":0'),
        (b'"code":0', b'"status":0'), (b'"code":0', b'"code":0,"status":62109'), (b'"msg":"OK"', b'"msg":7'), (b'"msg":"OK"', b'"msg":"\xe9"'),
        (b'"count":1', b'"count":-0'), (b'"count":1', b'"count":1,"flowInsts":[]'), (b'"count":1', b'"count":1,"count":2'), (b'"count":1', b'"total":1'),
        (b'"flowInsts":[', b'"flowInsts":[],"flowInsts":['), (b'"flowInsts":[', b'"flowInsts":[null,'), (b'"flowInsts":[', b'"flowInsts":[{},'),
        (b"}]", b"},]"), (b"}]", b"}]]"), (b"}]", b"}],[{}]"), (b"}}", b"}},"), (b"}}", b"}}{}"), (b"}}", b"}}\0"), (b"}}", b"}"), (b"}}", b"},}"),
    ])  # fmt: skip
    def test_any_other_envelope(self, decoder: Decoder, change: tuple[bytes, bytes]) -> None:
        body = plain(graph="", parameters="")
        assert decoder.plan(body) is not None
        at = body.rindex(change[0])
        assert decoder.plan(body[:at] + change[1] + body[at + len(change[0]) :]) is None

    def test_a_list_that_ends_too_early(self, decoder: Decoder) -> None:
        """What follows the first list counts as well, so no row of a damaged answer is lost without a word."""
        body = body_of(numbered({}, {"parameters": ""}))
        assert decoder.plan(body.replace(b'},{"instanceId"', b'}],[{"instanceId"')) is None

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"[]", b"null", b'{"code":0,"data":{"flowInsts":[]}}', b'{"code":0}', b"\xef\xbb\xbf{}"],
    )
    def test_an_answer_without_rows(self, decoder: Decoder, body: bytes) -> None:
        assert decoder.plan(body) is None

    def test_every_answer_that_is_cut_off(self, decoder: Decoder) -> None:
        body = plain()
        assert [end for end in range(len(body)) if decoder.plan(body[:end]) is not None] == []


class TestThePureWayIsTheContract:
    @pytest.mark.parametrize("seed", long_but(0, of=range(40)))
    def test_damaged_answers_of_the_emulator_are_read_alike(self, decoder: Decoder, seed: int) -> None:
        read, wrong = run(seed, 100 if seed == 0 else 1_000)
        assert not wrong, "\n".join(wrong)
        assert read

    @pytest.mark.long
    @settings(max_examples=1_500)
    @given(body=st.one_of(damaged(), st.lists(odd_rows, min_size=1, max_size=3).map(body_of)))
    def test_odd_and_damaged_answers_are_read_alike(self, decoder: Decoder, body: bytes) -> None:
        compare(decoder, body)

    @pytest.mark.long
    @settings(max_examples=1_500)
    @given(texts=st.lists(near_times, min_size=4, max_size=4))
    def test_texts_that_are_nearly_times_are_read_alike(self, decoder: Decoder, texts: list[str]) -> None:
        names = ("triggerTime", "startTime", "endTime", "timestamp")
        for name, text in zip(names, texts, strict=True):
            compare(decoder, plain(**{name: text}))
        compare(decoder, plain(**dict(zip(names, texts, strict=True))))


class TestItsColumns:
    @pytest.mark.parametrize("seed", long_but(0, of=range(12)))
    def test_batches_equal_those_of_instances(self, decoder: Decoder, seed: int) -> None:
        """Answers are honest or changed, one alone or several at once, and rows are all or some of them."""
        rng, read = random.Random(seed), 0
        layout, berlin = Layout(), Zone.parse("+01:00")
        for _ in range(10 if seed == 0 else 300):
            bodies = [body for body in (mutated(answers(), rng) for _ in range(6)) if decoder.plan(body)]
            for some in (bodies, *([body] for body in bodies)):
                chunks = [undecoded(body, zone=berlin) for body in some]
                parts = [part for chunk in chunks for part in chunk.parts]
                if not some or (members := planned_members(parts)) is None:
                    continue
                read += 1
                assert len(members) == len([*members])
                batches = AnswerColumns(layout).batches(chunks)
                for batch, chunk in zip(batches, chunks, strict=True):
                    batch.validate(full=True)
                    assert batch.equals(text_batch(layout, chunk.read()))
        assert read

    def test_a_member_that_there_is_not_has_no_column(self, decoder: Decoder) -> None:
        with pytest.raises(KeyError):
            decoder.column([], "more")
        assert decoder.column([], "flowName") == (0, 0, b"", bytes(4), b"")
        assert decoder.column([], "virtual") == (0, 0, b"", b"", None)


class TestItsInstances:
    @pytest.mark.parametrize(
        ("stored", "finished"), [(int, FlowInstance), (FlowInstance, FlowInstance), (StoredInstance, int)]
    )
    def test_classes_with_other_slots_are_refused(
        self, decoder: Decoder, stored: type, finished: type
    ) -> None:
        with pytest.raises((TypeError, AttributeError)):
            type(decoder)(stored, finished)

    @settings(max_examples=30)
    @given(
        walls=st.lists(st.datetimes(timezones=st.none())),
        zone=st.sampled_from(["GMT+8", "Europe/Berlin", "-03:30"]),
    )
    def test_times_with_zone_are_the_sums_of_the_pure_way(
        self, decoder: Decoder, walls: list[datetime], zone: str
    ) -> None:
        epoch = Zone.parse(zone).epoch
        found = decoder.aware(walls, Zone.parse(zone).tzinfo)
        assert [(time.replace(tzinfo=None), time.tzinfo, time.fold) for time in found] == [
            (time.replace(tzinfo=None), time.tzinfo, time.fold)
            for time in (epoch + (wall - NAIVE_EPOCH) for wall in walls)
        ]
        with pytest.raises(TypeError):
            decoder.aware([epoch], epoch.tzinfo or UTC)

    def test_a_row_is_finished_once(self, decoder: Decoder) -> None:
        plan = decoder.plan(plain())
        assert plan is not None
        rows = decoder.rows(plan)
        finished = decoder.finish([*rows], plan.walls, CHINA.epoch)
        with pytest.raises(TypeError, match="finished"):
            decoder.finish(rows, plan.walls, CHINA.epoch)
        with pytest.raises(ValueError, match="as many times"):
            decoder.finish([], plan.walls, CHINA.epoch)
        again = decoder.finish(decoder.copies(rows), plan.walls, CHINA.epoch)
        assert again == finished
        assert again[0] is not finished[0]

    def test_a_row_of_another_class_is_not_touched(self, decoder: Decoder) -> None:
        other: list[Any] = ["x"]
        with pytest.raises(TypeError):
            decoder.finish(other, [CHINA.epoch], CHINA.epoch)
        with pytest.raises(TypeError):
            decoder.copies(other)

    def test_nothing_is_kept_or_lost_by_counts_of_references(self, decoder: Decoder) -> None:
        """A reference too few would crash sooner or later, and one too many would never free what it refers to."""
        body, refused = plain(flowId=2**40), with_text("calDt", b"7")
        kept = (None, True, False, StoredInstance, FlowInstance, CHINA.epoch)

        def read() -> None:
            for _ in range(50):
                page = read_search(body)
                page.instances(CHINA, [0, 0])
                page.instances(CHINA)
                decoder.plan(refused)

        read()
        before = [sys.getrefcount(one) for one in kept]
        read()
        assert max(abs(now - then) for now, then in zip(map(sys.getrefcount, kept), before, strict=True)) < 40


class TestTheSeam:
    def said(self, code: str, tmp_path: Path, package: str | None, **variables: str) -> str:
        """Run a program beside a package called aioflows_decoder, and return what it prints."""
        if package is not None:
            (tmp_path / "aioflows_decoder.py").write_text(package)
        done = subprocess.run(
            [sys.executable, "-W", "always", "-c", f"import sys; sys.path[:0] = {[str(tmp_path), str(ROOT)]}\n{code}"],
            env=variables, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout + done.stderr

    CODE = "from aioflows._compiled import decoder_name; print(decoder_name())"

    @pytest.mark.long
    def test_a_decoder_of_another_protocol_is_not_used_and_a_warning_says_so(self, tmp_path: Path) -> None:
        said = self.said(self.CODE, tmp_path, "PROTOCOL = 2")
        assert said.startswith("pure Python\n")
        assert "does not work with this version of aioflows: its protocol is 2, not 1" in said

    @pytest.mark.long
    @pytest.mark.parametrize("package", ["import nowhere", "raise ImportError('undefined symbol')", ""])
    def test_a_decoder_that_cannot_be_imported_is_not_used_and_a_warning_says_so(
        self, tmp_path: Path, package: str
    ) -> None:
        said = self.said(self.CODE, tmp_path, package)
        assert said.startswith("pure Python\n")
        assert "RuntimeWarning: enos-aioflows-decoder is installed, but does not work" in said

    @pytest.mark.long
    def test_a_variable_switches_it_off(self, tmp_path: Path) -> None:
        assert self.said(self.CODE, tmp_path, "PROTOCOL = 2", AIOFLOWS_PURE="1") == "pure Python\n"

    def test_an_open_session_says_which_decoder_is_at_work(self) -> None:
        from aioflows import FlowSession

        name = "pure Python" if compiled_decoder() is None else "compiled"
        assert f"decoder: {name}>" in repr(FlowSession("https://enos.test", user_id="u", org_id="o"))


class TestItsDistribution:
    def test_its_version_begins_with_its_protocol(self) -> None:
        text = (ROOT / "decoder" / "aioflows_decoder" / "__init__.py").read_text(encoding="utf-8")
        protocol = text.split("PROTOCOL = ")[1].split("\n")[0]
        assert PROJECT["project"]["version"].split(".")[0] == protocol

    def test_it_runs_where_aioflows_runs(self) -> None:
        aioflows = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        assert PROJECT["project"]["requires-python"] == aioflows["project"]["requires-python"]

    def test_the_files_that_its_wheels_are_built_from_exist(self) -> None:
        for module in PROJECT["tool"]["setuptools"]["ext-modules"]:
            assert all((ROOT / "decoder" / source).exists() for source in module["sources"])
        wheels = PROJECT["tool"]["cibuildwheel"]
        assert {*wheels} <= {
            "build",
            "skip",
            "build-frontend",
            "before-test",
            "test-requires",
            "test-sources",
            "test-command",
        }
        assert all((ROOT / source).exists() for source in wheels["test-sources"])
