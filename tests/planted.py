"""Bugs planted on purpose, each of which some test has to kill: ``python -m tests.planted``.

A bug is a small change of one file. It is made in a copy of the project, where a command is run that has to fail then:
the random histories, or tests of one file. A bug that survives is a hole in the tests; one whose text is no longer there
has to be planted anew. `tests/test_planted.py` checks the latter in the ordinary suite.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

__all__ = ["BUGS", "ROOT", "Bug", "main"]

ROOT = Path(__file__).parents[1]
HISTORIES = "-m tests.histories --jobs 1 --seeds 3000"
_LONGEST = 240
"""Seconds; what takes longer does not come to an end, and that kills as well."""


@dataclass(frozen=True)
class Bug:
    """A change for the worse.

    Attributes:
        file: where, below the package.
        old: the text that is changed; it stands there once.
        new: what it is changed to.
        harm: what goes wrong.
        killer: the arguments of the Python that has to fail.
    """

    file: str
    old: str
    new: str
    harm: str
    killer: str = HISTORIES


def _tests(*files: str, only: str = "") -> str:
    return f"-m pytest -x -q -p no:cacheprovider {' '.join(f'tests/{file}' for file in files)}" + (
        f" -k {only}" if only else ""
    )


SCAN = _tests("core/scans/test_keyset.py")
FOLLOW = _tests("core/follow/test_polling.py")
COLUMNS = _tests("arrow/test_from_bytes.py")
RAW_ROWS = _tests("tables/test_raw_rows.py")
BOUNDS = _tests("scenarios/test_bounds.py", only="TestTheStartExcluded")
BUGS = [
    # Where a range begins and ends
    Bug(
        "_core/bounds/range_bounds.py",
        "            first -= 1\n        first = start if self._turns",
        "            first -= 0\n        first = start if self._turns",
        "a row at an excluded start is lost where two windows meet",
        BOUNDS,
    ),
    Bug(
        "_core/bounds/range_bounds.py",
        "        first = start // _MINUTE * _MINUTE if self._margin(start) is _Margin.MINUTE else start\n",
        "        first = start\n",
        "the first row of a range is lost if its start is rounded up to a minute",
        BOUNDS,
    ),
    Bug(
        "_core/bounds/range_bounds.py",
        "            missing |= yield from self._lost_at_edges(meant, wide, page, answer)\n",
        "            missing |= set()\n",
        "a row beside a bound inside a second is lost by rounding",
        BOUNDS,
    ),
    Bug(
        "_core/bounds/range_bounds.py",
        "        if missing:\n            raise CompletenessError(",
        "        if not self:\n            raise CompletenessError(",
        "rounded bounds are not told",
        BOUNDS,
    ),
    Bug(
        "_core/bounds/range_start.py",
        "        self.included = False\n        return True",
        "        self.included = True\n        return True",
        "a dense second whose pieces exclude their start loses rows between them",
        BOUNDS,
    ),
    # What a page proves
    Bug("_core/proofs/prover.py", "until = max(first, min(until, reading.last * 1000))",
        "until = max(first, min(until, reading.last * 1000 + 1000))",
        "the second that a page ends in is passed, and what of it was not on the page is lost"),
    Bug("_core/proofs/prover.py", "first = min(until, max(first, (reading.first + 1) * 1000))",
        "first = min(until, max(first, reading.first * 1000))",
        "the same for pages that are read from a window's end"),
    Bug("_core/proofs/prover.py", "until = max(first, min(until, reading.last * 1000))", "until = min(until, reading.last * 1000)",
        "a window that starts within a second which fills a page is asked for again for ever", SCAN),
    Bug("_core/proofs/prover.py", "whole=self._asked_enough(ask, reading, gaps[0])", "whole=len(reading) < ask.page_size",
        "a short page is trusted, whatever cap there may be"),
    Bug("_core/proofs/empty_stretches.py", "if not self._confirm or first >= until or self._evidence.sees(width, backward=ask.backward):", "if width:",
        "a stretch that no row witnesses is taken for empty", _tests("core/proofs/test_witnesses.py")),
    Bug("_core/pages/evidence.py", "return width <= (self._ahead if backward else self._back)", "return True",
        "a service is taken to look as far as it is asked", _tests("core/proofs/test_witnesses.py")),
    Bug("_core/pages/evidence.py", "self.numbered = service.told or service.first_page != 1", "self.numbered = True",
        "pages are taken for first pages since those of other scans were", _tests("core/proofs/test_witnesses.py")),
    Bug("_core/proofs/short_page.py", " and (more or self._evidence.rows == 1)", "",
        "one row is taken for all there is, although no page ever had two", _tests("core/proofs/test_short_page.py")),
    Bug("_core/proofs/short_page.py", "                if not refusal(answer):",
        "                if not answer:",
        "who may not ask is taken for a page that does not exist", _tests("core/proofs/test_short_page.py")),
    Bug("_core/proofs/empty_stretches.py", "raise _answers_in_part(ask, stretch.row, found)", "break",
        "rows that a wide window leaves out are passed over", _tests("core/proofs/test_empty_stretches.py")),
    Bug("_core/proofs/range_limit.py", "if page is not None and page.ids:", "if False:",
        "a range is taken to be answered in full whatever rows a narrower window brings", _tests("core/proofs/test_witnesses.py")),
    Bug("_core/proofs/empty_stretches.py", "self._request_without_filters()", "pass",
        "a few matches are taken for all of a range, however far the service looks",
        _tests("core/proofs/test_empty_stretches.py", only="those_of_everybody")),
    Bug("_core/dense_second/page_walk.py", "if self._next_page is None and short:", "if False:",
        "a page that lacks rows for want of rights is the last one", _tests("core/proofs/test_witnesses.py")),
    Bug("_core/dense_second/id_shape.py", "<= _MOST_MATCHES * max(apart.values())", "<= len(names)",
        "a part's text may stand in every id", _tests("core/dense_second/test_id_shape.py")),
    Bug("_core/planning/gap_request.py", "return min(usual, SMALL_PAGE)  # a service may", "return usual  # a service may",
        "an empty window is looked at again with as large a page", _tests("core/proofs/test_witnesses.py")),
    Bug("_core/pages/page_size.py", "self._refused = size if self._refused is None else min(self._refused, size)", "pass",
        "a page size that is refused is asked for again", _tests("core/proofs/test_witnesses.py")),
    Bug("_core/dense_second/repeated_passes.py", "self._incomplete = len(self.rows) < self.count", "self._incomplete = False",
        "passes that agree with each other are believed against their own count", _tests("core/dense_second/test_ties.py")),
    Bug("_core/dense_second/sightings.py", "self.mixed > _MIXED and self._renewed * 2 > self._repeated", "self.mixed > _MIXED",
        "orders that depend on the page are taken for ties that are mixed by chance", _tests("core/dense_second/test_ties.py")),
    Bug("_core/dense_second/page_pass.py", "if self.run_start is not None and [*shown.ids] == [*self.pages[self.run_start].ids]:",
        "if self.run_start is not None:", "pages that are alike by their ties are taken for the last page",
        _tests("core/dense_second/test_page_pass.py")),
    Bug("_core/dense_second/census.py", "if len(plain) == 1 < len(once_each):", "if len(plain) == 1:",
        "a page is never counted twice where counts do not tell", _tests("core/dense_second/test_census.py")),
    Bug("_core/dense_second/id_partitions.py", "if self._unconfirmed and self.done and len(self.rows) != self._count:", "if not self.rows:",
        "passes over a part are believed where page numbers may have ended",
        _tests("core/dense_second/test_id_partitions.py", only="passes_over_parts")),
    Bug("_core/proofs/prover.py", "if anchor.ids.isdisjoint(reading.at(anchor.second)):", "if not anchor:",
        "the row at the edge of a window need not come again",
        _tests("core/proofs/test_prover.py", only="without_the_row")),
    Bug("_core/proofs/prover.py", "return flat and any(not gap.empty_answers for gap in gaps)", "return False",
        "a page of one second proves what lies before it by an order that was never seen",
        _tests("scenarios/test_threats.py", only="replica")),
    Bug("_core/pages/ordered_page.py", "return [number for _, _, number in rows]",
        "return list({time: number for time, _, number in rows}.values())", "of rows with equal keys one is kept"),
    Bug("_core/pages/ordered_page.py", "if not self._twice:", "if rows:", "a row that comes twice in a page is given twice",
        _tests("core/pages/test_ordered_page.py", "core/scans/test_keyset.py")),
    Bug("_core/pages/ordered_page.py", "if self._tied and not all(map(in_order, times, islice(times, 1, None))):", "if not times:",
        "the order inside pages is believed", SCAN),
    Bug("_core/pages/ordered_page.py", "if self.first < low or self.last >= high:", "if high < low:",
        "rows outside the window are taken", SCAN),
    Bug("_core/pages/ordered_page.py", "if seen.setdefault(name, time) != time:", "if not name:",
        "an id with two trigger times is taken for one row", SCAN),
    Bug("_core/pages/page_request.py", "return ~value if self.descending else value", "return -value if self.descending else value",
        "mirrored seconds are off by one"),
    Bug("_core/pages/page_request.py", "return (-until, -first) if self.descending else (first, until)",
        "return (1 - until, -first) if self.descending else (first, until)", "mirrored windows are off at their open end"),
    Bug("_core/pages/ordered_page.py", "plain, strict=True), reverse=self._axis.descending)", "plain, strict=True))", "ids ascend in a descending scan"),
    # Emptiness
    Bug("_core/proofs/empty_answers.py", "needed = empty_answers_needed(self._service, row_known=row is not None, nothing_else=nothing_else)", "needed = 1", "the first empty answer is believed"),
    Bug("_core/proofs/missing_rows.py", "if not left and missing.shown:", "if not missing:",
        "rows that were misread are taken for rows that went", _tests("scenarios/test_threats.py", only="time")),
    Bug("_core/proofs/empty_recheck.py", "while self._service.false_empty_seen and self._windows:", "while False:",
        "what a liar had been believed before is not looked at again", _tests("core/proofs/test_empty_answers.py")),
    Bug("_core/proofs/missing_rows.py", "if gap.contradictions > _MOST:", "if False:",
        "a service whose answers contradict each other is asked for ever", _tests("core/proofs/test_missing_rows.py")),
    # Page numbers
    Bug("_core/proofs/first_page_check.py", "if isinstance(answer, AioflowsError) and not refusal(answer):", "if False:",
        "a lost connection shows that page 1 is the first", _tests("core/proofs/test_first_page_check.py")),
    Bug("_core/pages/sequence.py", "            return True  # the number that pages count from was found meanwhile", "            pass",
        "a page is placed by a number that means another one", _tests("core/pages/test_sequence.py")),
    Bug("_core/pages/overlap.py", "(max(end - least, 0) // size, size)", "(end // size, size)",
        "pages by number share no row", _tests("core/pages/test_overlap.py")),
    Bug("_core/pages/first_page.py", "(_EMPTY, _ROWS): Step.ASK_0,", "(_EMPTY, _ROWS): Step.TAKE_1,",
        "one empty page 0 makes page 1 the first", _tests("core/pages/test_first_page.py")),
    Bug("_core/pages/first_page.py", "(_EMPTY,): Step.ASK_1,", "(_EMPTY,): Step.EMPTY,",
        "where pages count from 1 and page 0 is empty, nothing is found"),
    Bug("_core/scans/first_page_requests.py", "if self._service.first_page is not None:\n            self._found_elsewhere(ask, answer)",
        "if self._service.first_page is None and not answer:\n            self._found_elsewhere(ask, answer)",
        "what one scan found out about page numbers is overruled by an accident of another",
        "-m tests.histories --jobs 1 --seeds 4200"),
    Bug("_core/pages/first_page.py", "return isinstance(error, ServiceError) and not isinstance(",
        "return isinstance(error, ServiceError) or isinstance(", "a refused token is taken for a page that does not exist",
        _tests("core/pages/test_first_page.py")),
    # Dense seconds
    Bug("_core/dense_second/page_walk.py", "if [*ids[:overlap]] != [*self._placed[offset:]]:", "if ids is None:",
        "pages need not join", _tests("core/dense_second/test_page_walk.py")),
    Bug("_core/dense_second/page_walk.py", "self.ending is Ending.SHORT and self._evidence.reaches(self.depth)",
        "self.ending is Ending.SHORT", "the end of page numbers is taken for the end of the rows",
        _tests("core/dense_second/test_page_walk.py")),
    Bug("_core/dense_second/page_walk.py", "return self._service.base is None and self._base == (self._service.first_page or 0)",
        "return False", "page 0 and page 1 are taken for two pages where they are one", _tests("core/dense_second/test_page_walk.py")),
    Bug("_core/dense_second/sightings.py", "return max(1, rows) * self.overlooked**self.passes", "return 0.0",
        "two passes over mixed ties are enough", _tests("core/dense_second/test_repeated_passes.py")),
    Bug("_core/dense_second/repeated_passes.py", "elif self._cut_short or not past.has_empty_page:", "else:", "a pass with a hole counts as one that overlooked rows",
        _tests("core/dense_second/test_repeated_passes.py", only="empty_page")),
    Bug("_core/dense_second/id_partitions.py", "if self._looks[text] < empty_answers_needed(self._service, row_known=bool(known)):", "if not text:",
        "a part that lacks all its rows is read", _tests("core/dense_second/test_id_partitions.py")),
    Bug("_core/dense_second/id_partitions.py", "if matching * 2 < len(names):", "if matching < 0:",
        "a service that does not heed the text is believed", _tests("core/dense_second/test_id_partitions.py")),
    Bug("_core/dense_second/millisecond_pieces.py", "if until <= low or high <= first:", "if not name:",
        "a service that ignores the window is cut into milliseconds for ever",
        _tests("core/dense_second/test_millisecond_pieces.py", only="two_pieces")),
    Bug("_core/dense_second/dense_second.py", "if self.done and self._rows.keys().isdisjoint(self._first.ids):", "if False:",
        "rows that were seen are none of those that are handed out", _tests("core/dense_second/test_dense_second.py")),
    Bug("_core/dense_second/instant.py", "reading.index(-(-instant.until // 1000))", "reading.index(instant.until // 1000)",
        "rows of a millisecond are taken for those of another second", _tests("core/dense_second/test_instant.py")),
    Bug("_core/proofs/page_end.py", "self._state.reader.read(alone, answer)", "pass", "the zone is not pinned beside a dense first second",
        SCAN),
    Bug("_core/pages/ordered_page.py", "if not (self._tied and any(", "if not (self._tied and all(", "some rows of one second keep the service's order",
        SCAN),
    Bug("_core/pages/service_facts.py", "return self.larger_pages and self.most(LARGEST_PAGE) > size", "return False",
        "that seconds are crowded is found out in each of them", SCAN),
    Bug("_core/proofs/prover.py", "return proven - crowd", "return proven",
        "what follows a crowded second is taken for as crowded", SCAN),
    Bug("_core/planning/read_ahead.py", "min(self._buffer, max(rows, ", "max(self._buffer, max(rows, ", "wide rows fill the memory", SCAN),
    # How a gap is asked for
    Bug("_core/planning/gap_request.py", "gaps.reach(gap, gap.first + widest), False", "gap.until, False",
        "what lies behind a window that was cut too small is left to another request",
        _tests("core/planning/test_gap_request.py")),
    Bug("_core/planning/gap_request.py", "behind = None if gap.end.known is None else gap.end.known * 1000 + 1000",
        "behind = None if gap.end.known is None else gap.end.known * 1000",
        "a window ends just before the row that was to prove it", _tests("core/planning/test_gap_request.py")),
    # Gaps, runs, partitions
    Bug("_core/planning/frontier.py", "if low < high and first <= low and high <= until:", "if low < high and first < high and low < until:",
        "a row has to come again in a window that holds only a part of its second", _tests("core/planning/test_frontier.py")),
    Bug("_core/planning/follow_ups.py", "None if isinstance(answer, AioflowsError) else answer", "answer",
        "a request that failed is taken for a page", _tests("core/planning/test_follow_ups.py")),
    Bug("_core/planning/gaps.py", "gap.until, gap.after, gap.end = cut, 0, Edge()",
        "gap.until, gap.end = cut, Edge()",
        "rows behind a gap are credited twice", _tests("core/planning/test_gaps.py", "core/scans/test_keyset.py")),
    Bug("_core/planning/gaps.py", "return self._gaps[at] if touching else None", "return self._gaps[at] if at < len(self._gaps) else None",
        "gaps that do not touch are made one", SCAN),
    Bug("_core/planning/reorder_buffer.py", "run = self._runs.pop(self.position, None)",
        "run = self._runs.pop(min(self._runs, default=0), None)", "rows are given before all that precedes them is proven"),
    Bug("_core/scans/keyset.py", "self._limit - self.rows_released)", "self._limit - self.rows_released - 1)",
        "a limit ends a scan one row early", SCAN),
    Bug("_core/planning/failed_windows.py", "            self._gaps.halve(gap)",
        "            self._gaps.take(gap, gap.first, gap.until, 0)", "a window that the service fails on is dropped", SCAN),
    Bug("_core/scans/keyset.py", "cuts = sorted(self.axis.window(cut, cut)[0] for cut in zone.transitions(low, high))", "cuts = []",
        "one offset is used across a change of it", _tests("scenarios/test_zones.py")),
    Bug("_core/scans/partitions.py", "TakenRows(passed, self._order(passed))", "TakenRows(passed, None)",
        "rows of several types come one type after the other"),
    Bug("_core/scans/partitions.py", "yield max(first, second * 1000), until, mark", "yield max(first, second * 1000), until, None",
        "what was handed out of a second is handed out again after resuming"),
    Bug("_core/scans/partitions.py", "yield max(first, second * 1000), until, mark",
        "yield max(first, second * 1000 + 1000), until, mark", "a scan goes on behind the second that it stopped in"),
    # What comes back, and what becomes of it
    Bug("_core/wire/decompress.py", '        if self._member is not None:\n            raise DamagedBody("its compressed body ends',
        '        if self._gzip is None:\n            raise DamagedBody("its compressed body ends',
        "gzip that ends early is whole", _tests("scenarios/faults/test_bodies.py", only="packed")),
    Bug("_core/wire/decompress.py", "piece = self._member.unused_data", "piece = b''", "of two members of gzip the first is read",
        _tests("scenarios/faults/test_bodies.py", only="two_members")),
    Bug("_core/wire/decompress.py", "most -= len(part)", "most -= 0", "many small bombs are one large one",
        _tests("core/wire/test_decompress.py")),
    Bug("_net/http.py", "if conn.protocol is not None and conn.protocol.should_close:", "if conn.protocol is None:",
        "an answer that nobody asked for is the next one's", _tests("net/test_http.py", only="before_it_was_asked")),
    Bug("_core/wire/retry_after.py", 'min(max(0.0, *map(float, text.split(","))), _LONGEST_WAIT)',
        'min(max(0.0, float(text.split(",")[0])), _LONGEST_WAIT)', "of two waits the first counts",
        _tests("scenarios/faults/test_statuses.py", only="two_waits")),
    Bug("_net/attempt.py", "if isinstance(error, (ServerFault, TimedOut)):", "if error is not None:",
        "a lost connection takes the few tries of a question", _tests("scenarios/faults/test_network.py", only="how_much_was_asked")),
    Bug("_core/wire/retry_after.py", "if remaining.get(name, usual) <= 0]", "if name is not None]",
        "a quota that is not used up makes a plain 404 a pause", _tests("core/wire/test_retry_after.py", only="something_remains")),
    Bug("_core/wire/responses.py", "throttled = status == 429 or (wait is not None and", "throttled = status == 429 or (status == 503 and wait is not None and",
        "a 403 that asks to wait is taken for an expired token", _tests("core/wire/test_responses.py", only="asks_to_wait")),
    Bug("_core/resilience/rate_estimate.py", "if now - self._answered_at > _BESIDE:", "if now < self._answered_at:",
        "a service that is down is taken for one that is asked too much", _tests("core/resilience/test_rate_estimate.py", only="down")),
    Bug("_net/http.py", "config.on_connection_queued_start.append(self._stop)", "pass",
        "a wait for the caller's own pool is a time-out of the service", _tests("net/test_http.py", only="TestPool")),
    Bug("_net/attempt.py", "self._gate.limit_to(self._pool.connections)", "pass",
        "more are sent at first than the caller's pool lets out", _tests("scenarios/faults/test_network.py", only="few_connections")),
    Bug("_core/planning/failed_windows.py", "if not gaps or self._try_smaller(ask, error):", "if not gaps:",
        "a page size that is refused ends the scan", _tests("core/proofs/test_witnesses.py")),
    Bug("_core/scans/partitions.py", "self._unread = True", "pass",
        "rows that cannot be read are left out of the checkpoint", _tests("scenarios/faults/test_bodies.py", only="cannot_be_read")),
    Bug("_core/scans/partitions.py", "partition is not self._pressed", "partition is None",
        "an answer in every so many is falsely empty, and a type is lost to those it asks in turn with",
        _tests("core/scans/test_partitions.py")),
    Bug("_core/scans/partitions.py", "any(partition.unheard for partition in self.partitions)", "not self.partitions",
        "rows go out for a type that is not theirs", _tests("core/scans/test_partitions.py")),
    Bug("_core/pages/filter_checks.py", "if status is not None and status not in statuses:", "if status is None:",
        "a service that ignores the status is believed", _tests("scenarios/faults/test_consistency.py", only="ignores_the_status")),
    Bug("_core/pages/filter_checks.py", "if not any(may_equal(self._owner, one)", "if False and any(may_equal(self._owner, one)",
        "a service that ignores the owner is believed", _tests("scenarios/test_filters.py", only="no_order_hands_out")),
    Bug("_core/pages/filter_checks.py", 'elif not all(may_contain(word, f"{row.instance_id} {name}") for word in self._words):',
        "elif False:", "a service that ignores the expression is believed",
        _tests("scenarios/test_filters.py", only="no_order_hands_out")),
    Bug("_core/strategy.py", "checks=None if by_walk else checks", "checks=None",
        "rows that the service sorts are not checked", _tests("scenarios/test_filters.py", only="ignored_in_some_orders")),
    Bug("_core/pages/collation.py", 'category[0] == "M"', 'category == "M"',
        "a service that ignores accents is accused", _tests("scenarios/test_filters.py", only="comparison_of_the_service")),
    Bug("_core/filters/filtered_scan.py", "elif got is DONE and self._begins_at_the_end():", "elif got is None:",
        "a service that reads one of several statuses is believed", _tests("scenarios/test_filters.py", only="reads_one_of_them")),
    Bug("_core/filters/status_probes.py", 'if page is None or any(_witnesses(page, status, zone)) != (asked == "alone"):',
        "if page is None:",
        "a status that came about meanwhile is held against the service", _tests("scenarios/test_filters.py", only="comes_about_behind")),
    Bug("_core/filters/type_probe.py", "others.update(dict.fromkeys(found.ids, other))", "pass",
        "rows of all types are manual where a second is crowded", _tests("scenarios/test_filters.py", only="crowded_one")),
    Bug("_core/filters/filtered_scan.py", "if self._inquiries.open:", "if False:",
        "rows of all types go out for manual ones", _tests("core/filters/test_filtered_scan.py")),
    Bug("_core/wire/envelope.py", "        return decode(decoder, repaired)", "        raise",
        "an unescaped graph in a short answer ends the scan", _tests("scenarios/faults/test_bodies.py", only="mended")),
    Bug("_net/loop_bound.py", "elif self._loop is not loop or", "elif self._loop is None or",
        "a session hangs on another loop", _tests("scenarios/faults/test_control.py", only="another_loop")),
    # Other orders
    Bug("_core/sorted/sort_keys.py", "self.descending = ", "self.descending = not ", "ids run against the first key",
        _tests("scenarios/test_orders.py", only="fits_the_buffer")),
    # What is told
    Bug("_core/scans/keyset.py", "news, self._frontier.news = self._frontier.news, []", "news = self._frontier.news",
        "every window is told again and again", _tests("test_events.py", only="tile")),
    Bug("_core/sorted/sorted_windows.py", "self._events += sorter.partitions.drain_events()", "sorter.partitions.drain_events()",
        "windows that were read again are not told", _tests("test_events.py", only="drift_in_a_merged")),
    Bug("_net/attempt.py", "call.ended(self._watch, _now(), cancelled=True)", "pass",
        "an attempt that is cancelled is never told to have ended", _tests("net/test_retrying.py", only="cancelled")),
    Bug("_net/attempt.py", "error.__traceback__ = error.__context__ = None", "pass",
        "an event keeps headers and bodies alive", _tests("net/test_retrying.py", only="frame")),
    Bug("_net/observers.py", "if not self._failed:", "if not self._observer:",
        "nobody learns that an observer fails", _tests("net/test_retrying.py", only="observer")),
    Bug("_net/observers.py", "text = printable(text, _LONGEST_TEXT)", "pass",
        "what the service says forges lines of the log", _tests("test_events.py", only="forges")),
    Bug("_net/scan_reader.py", "await self._stop()  # its end", "await self._finish(ScanOutcome.LIMIT)  # its end",
        "a scan with a limit is told to be over before its last rows are taken", _tests("test_events.py", only="once")),
    # The clocks of other times
    Bug("_net/clock_questions.py", "if self._zones.inexperienced:", "if False:",
        "a type with few rows is handed out before others show its clock", _tests("scenarios/test_first_rows.py", only="types_with_few")),
    Bug("_net/clock_questions.py", "if self._answered or not noting.unsure:", "if True:",
        "single rows are judged by nothing but themselves", _tests("scenarios/test_clocks.py", only="as_one_with_one_clock")),
    Bug("_core/clocks/verdict.py", "clear_rows(page)[:_SIDES]", "clear_rows(page)[:1]",
        "a clock is taken for UTC by one side of a change", _tests("scenarios/test_first_rows.py", only="around_a_change")),
    Bug("_core/clocks/clear_rows.py", "    return apart or rows", "    return clear",
        "a page near a change of clocks shows no clock", _tests("scenarios/test_first_rows.py", only="around_a_change")),
    # What a follow remembers
    Bug("_core/follow/polling.py", "int(now_ms - self._pace.settle_time * 1000)", "int(now_ms)",
        "what shows late is not read again", FOLLOW),
    Bug("_core/follow/polling.py", "self._seen.forget(self._mark, self._poll)\n", "self._seen.forget(self._now or 0, self._poll + 1)\n",
        "what is read again is not remembered, and comes twice", FOLLOW),
    Bug("_core/follow/polling.py", "mark = min(self._reached - _CLOCKS_CHANGE, self._settled(self._now))", "mark = self._reached",
        "within a poll the mark passes what may still show", FOLLOW),
    Bug("_core/follow/polling.py", "self._mark = max(self._mark, self._settled(now_ms))", "self._mark = self._settled(now_ms)",
        "a clock that is put back brings what was settled again", FOLLOW),
    Bug("_core/follow/polling.py", "self._reads.extend(self._missing_windows())", "self._missing_windows()",
        "what has finished behind the mark is taken for gone", FOLLOW),
    Bug("_core/follow/polling.py", "self._seen.drop(self._seen.missing(self._mark, self._poll))", "self._seen.missing(self._mark, self._poll)",
        "what was deleted is watched on", FOLLOW),
    Bug("_core/follow/polling.py", "self._reads.append(Read(mark, until, fresh=True))", "self._reads.append(Read(mark + 1000, until, fresh=True))",
        "the second at the mark is not read again", FOLLOW),
    Bug("_core/follow/polling.py", "self._shown += [(row, fresh) for row in rows]", "pass",
        "what a glance has shown and the read after it has not is settled", FOLLOW),
    Bug("_core/follow/seen_instances.py", "for row, before in reversed(self._line):", "for row, before in ():",
        "a checkpoint takes what is in line for handed out", FOLLOW),
    Bug("_core/follow/seen_instances.py", "if one.watched or not one.behind(mark) or one.poll >= poll", "if one.watched or not one.behind(mark)",
        "what is dated wrongly comes again at every poll", FOLLOW),
    Bug("_core/follow/seen_instances.py", "if one.watched or not one.behind(mark) or one.poll >= poll", "if not one.behind(mark) or one.poll >= poll",
        "what is watched is forgotten", FOLLOW),
    Bug("_core/follow/seen_instances.py", "more = self._changes or not wanted", "more = True",
        "what came to a status is told again", FOLLOW),
    Bug("_core/follow/seen_instances.py", "if not before.watched or before.status == status:", "if before.status == status:",
        "what has finished is told again", FOLLOW),
    Bug("_core/scans/partitions.py", "return not self._unread and self._later is None", "return self._later is None",
        "rows of the last second that cannot be read are left out of the checkpoint", COLUMNS),
    Bug("_core/scans/partitions.py", "return not self._unread and self._later is None", "return not self._unread",
        "the later batches of a run are left out of the checkpoint", _tests("core/scans/test_partitions.py")),
    Bug("_core/scans/partitions.py", "begun or self._begun or (all_handed and not self._unread)", "begun",
        "the earlier batches of a run are handed out again", _tests("core/scans/test_partitions.py")),
    # Columns from the bytes of an answer
    Bug("_core/scans/partitions.py", "rest = self._after_row(taken, run.first // 1000, name)", "rest = taken",
        "what was handed out of a second is handed out again"),
    Bug("_core/scans/partitions.py", "or not zone.fixed or", "or",
        "an hour that comes twice is the same in columns", COLUMNS),
    Bug("_core/scans/partitions.py", "is not None or self._checks is not None or", "is not None or",
        "columns hold statuses that nobody asked for", COLUMNS),
    Bug("_core/scans/partitions.py", "if 2 * len(piece) <= len(ids) or not body:", "if not body:",
        "a page is read again for each of its parts", COLUMNS),
    Bug("_core/scans/partitions.py", "number = piece.numbers[at]", "number = piece.numbers[0]",
        "a checkpoint behind columns stands at their first row", COLUMNS),
    Bug("_core/scans/partition.py", "self.page.times[number]) - self.offset)", "self.page.times[number]))",
        "rows of a type are held back, or go out early, by the zone", COLUMNS),
    Bug("arrow/from_bytes.py", "[start + at for at in (range(len(rows)) if rows.order is None else rows.order)]", "range(start, start + len(rows))",
        "columns of several types are in disorder", COLUMNS),
    Bug("_net/scan_reader.py", "                handout.miss()\n", "",
        "what could not become columns is left out by the checkpoint", COLUMNS),
    Bug("arrow/from_bytes.py", "shortest < _SHORTEST_TIME or first < _FIRST_TIME", "first < _FIRST_TIME",
        "a date is a time in columns", COLUMNS),
    Bug("arrow/from_bytes.py", "shortest < _SHORTEST_TIME or first < _FIRST_TIME", "shortest < _SHORTEST_TIME",
        "there is a year 0 in columns", COLUMNS),
    Bug("arrow/from_bytes.py", "    found.validate(full=True)", "    found.validate()",
        "columns hold texts that are no UTF-8", COLUMNS),
    Bug("arrow/from_bytes.py", 'unexpected_field_behavior="error"', 'unexpected_field_behavior="ignore"',
        "columns lack a member that nobody knows", COLUMNS),
    Bug("arrow/from_bytes.py", "numbers.step == 1", "numbers.step",
        "rows of a page that was sorted backwards are others in columns", COLUMNS),
    Bug("_tables/row_columns.py", "gc=False, forbid_unknown_fields=True", "gc=False",
        "lines lack a member that nobody knows", RAW_ROWS),
    Bug("_tables/row_columns.py", "        self._check_clocks()\n", "",
        "times by another clock are written as the trigger's clock shows them", RAW_ROWS),
    Bug("_tables/row_columns.py", '"\\n".join([*given, ""]).count(".0\\n") == len(given)', "True",
        "times lose the fraction of their seconds", RAW_ROWS),
    Bug("_tables/raw_rows.py", "return rows if self.order is None else [rows[number] for number in self.order]\n\n\nclass", "return rows\n\n\nclass",
        "cells of several types are in disorder", RAW_ROWS),
    Bug("_json_lines.py", """    if any(value.startswith(b'"') for value in values):""", "    if False:",
        "a graph that was encoded twice is decoded once", RAW_ROWS),
    Bug("_json_lines.py", 'if rb"\\\\x" in quick', "if False",
        "a backslash before a Latin letter makes another character of it", RAW_ROWS),
]  # fmt: skip


def planted(bug: Bug | None, folder: Path) -> str:
    """Copy the project, plant a bug, and give what is wrong with that, if anything."""
    for name in ("aioflows", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    if bug is None:
        return ""
    file = folder / "aioflows" / bug.file
    text = file.read_text()
    if text.count(bug.old) != 1:
        return f"its text stands there {text.count(bug.old)} times"
    file.write_text(text.replace(bug.old, bug.new))
    return ""


def outcome(killer: str, folder: Path) -> str:
    """Run a command in a copy; give what killed the bug, or nothing."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *killer.split()],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=_LONGEST, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "it does not come to an end"
    if not done.returncode:
        return ""
    lines = [
        line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "--seed", "Gap"))
    ]
    return lines[0][:100] if lines else "an error"


def judged(bug: Bug) -> tuple[Bug, bool, str, float]:
    """Plant a bug and try to kill it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        amiss = planted(bug, folder)
        killed = "" if amiss else outcome(bug.killer, folder)
    return bug, bool(killed), killed or f"SURVIVES {amiss}", time.monotonic() - began


def sound(killer: str) -> str:
    """Tell what is wrong with a command where no bug is planted."""
    with tempfile.TemporaryDirectory() as name:
        planted(None, Path(name))
        return outcome(killer, Path(name))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.planted", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--only", default="", help="bugs that hold this text")
    parser.add_argument("--jobs", type=int, default=2, help="bugs at once")
    options = parser.parse_args(arguments)
    say = partial(print, flush=True, file=sys.stdout)
    bugs = [bug for bug in BUGS if options.only in f"{bug.file} {bug.harm}"]
    survivors = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        killers = sorted({bug.killer for bug in bugs})
        for killer, amiss in zip(killers, pool.map(sound, killers), strict=True):
            if amiss:
                say(f"Without a bug, {killer} fails: {amiss}")
                return 1
        for bug, killed, by, seconds in pool.map(judged, bugs):
            survivors += not killed
            say(f"{bug.file:22}{seconds:6.0f} s  {bug.harm}\n{'':31}{by}")
    say(f"\n{len(bugs)} bugs planted, {survivors} survive")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
