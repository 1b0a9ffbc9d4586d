"""The flows of a platform: their schedules, names, owners and tasks."""

from __future__ import annotations

import random

import attrs

_SUBJECTS = (
    "风机", "光伏", "逆变器", "储能", "电表", "发电量", "告警", "站点", "气象", "功率预测", "turbine", "inverter",
    "site_kpi", "alarm", "weather", "battery", "meter", "forecast", "ods_device", "dwd_energy", "dim_asset",
)  # fmt: skip
_DEEDS = (
    "日统计", "小时聚合", "数据同步", "清洗", "月报", "周报", "导出", "质量检查", "hourly_agg", "daily_report", "sync",
    "cleanup", "export", "backfill", "quality_check", "to_hive", "snapshot",
)  # fmt: skip
_PEOPLE = (
    "li.wei", "wang.fang", "zhang.min", "liu.yang", "chen.jing", "a.schmidt", "j.doe", "m.garcia", "k.tanaka", "ops",
)  # fmt: skip
_ACCOUNTS = ("bd_energy", "bd_wind", "bd_solar", "your_bd_account", "bd_ops")

NASTY_NAMES = (
    '报表 "终版" \\ v2', "🌬️🔋 nightly", "=cmd|' /C calc'!A0", "@SUM(1+1)*cmd", "-2+3", "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07", "abc\u202edcba", "a,b;c\td", "line\nbreak\r\n", "50%_done %s %(x)s {0}", "<b>&amp;</b>",
    "'; DROP TABLE inst; --", " leading and trailing ", "\u2028sep\u2029", "zero\u200bwidth", "null", "٣٢١ مرحبا",
    "\x00nul", "é e\u0301", "名" * 120,
)  # fmt: skip
"""Unusual names, and names that may harm a terminal, a spreadsheet or a CSV file."""

_PARAMETERS = (
    "[]", "[]", "[]", "[]", '[{"name":"bizdate","value":"${yyyyMMdd-1}"}]', '{"retry":"3"}',
    '[{"name":"区域","value":"华东"}]',
)  # fmt: skip


@attrs.frozen
class Flow:
    """A flow: the values that its instances share."""

    number: int
    id: int
    name: str
    cron: str
    cycle: str
    owner: str
    do_as: str
    parameters: str
    tasks: tuple[tuple[int, str], ...]
    seconds: float
    flaky: float
    look: int


def new_flow(number: int, id: int, cron: str, cycle: str, rng: random.Random) -> Flow:
    """Return a flow with random values, except for its number, its id and its schedule."""
    draw = rng.random
    name = f"{_SUBJECTS[int(draw() * len(_SUBJECTS))]}_{_DEEDS[int(draw() * len(_DEEDS))]}"
    if draw() < 0.7:
        name += f"_{int(draw() * 500)}"
    if number % 37 == 5:
        name = NASTY_NAMES[number // 37 % len(NASTY_NAMES)]
    first_task = 100_000 + int(draw() * 800_000)
    return Flow(
        number=number,
        id=id,
        name=name,
        cron=cron,
        cycle=cycle,
        owner=_PEOPLE[min(int(rng.expovariate(0.4)), len(_PEOPLE) - 1)],
        do_as=_ACCOUNTS[int(draw() * len(_ACCOUNTS))],
        parameters=_PARAMETERS[int(draw() * len(_PARAMETERS))],
        tasks=tuple(
            (first_task + k, _DEEDS[(first_task + k) % len(_DEEDS)]) for k in range(1 + int(draw() * 3))
        ),
        seconds=min(20_000.0, rng.lognormvariate(3.0, 1.3)),
        flaky=0.3 if draw() < 0.04 else 0.015,
        look=int(draw() * 2**16),
    )


def flow_ids(count: int, rng: random.Random) -> list[int]:
    """Return distinct ids of three to seven digits, in random order."""
    return rng.sample(range(100, max(9_000, 5 * count)), count)
