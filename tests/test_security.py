"""What a secret, a hostile service and an application around us may expect; the rest stands where it is at home.

TLS, redirects, bodies that are too large or cut off: ``tests/net/test_http.py``. Signing: ``tests/core/test_signing.py``
and ``tests/net/test_credentials.py``. Bodies that are no JSON, or not what they should be: ``tests/core/test_search.py``
and ``tests/core/test_answers.py``. Names that reach a terminal or a file: ``tests/cli/test_printable.py``,
``tests/cli/test_terminal.py``, ``tests/cli/test_sink.py`` and ``tests/test_export.py``.
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import attrs
import pytest

from aioflows import AppKey
from aioflows.secret import Secret

ACCESS, SECRET = "ACCESS-KEY-CANARY", "SECRET-KEY-CANARY"
KEY = AppKey(ACCESS, SECRET)


class TestKeys:
    @pytest.mark.parametrize(
        "shown",
        [
            repr,
            str,
            "{}".format,
            lambda key: f"{key._secret_key:>40}",
            lambda key: "%r %s" % (key, key),  # noqa: UP031  (that is the point)
            lambda key: repr(attrs.asdict(key)),
            lambda key: repr(attrs.astuple(key)),
            lambda key: json.dumps(attrs.asdict(key), default=str),
            lambda key: repr([getattr(key, field.name) for field in attrs.fields(AppKey)]),
            lambda key: repr(pickle.dumps(key)),
            lambda key: repr(pickle.loads(pickle.dumps(key))),
        ],
        ids=range(11),
    )
    def test_none_of_what_shows_a_value_shows_them(self, shown: Callable[[AppKey], str]) -> None:
        assert "CANARY" not in shown(KEY)

    def test_they_can_be_read_where_they_are_needed(self) -> None:
        assert (KEY.access_key, KEY.secret_key) == (ACCESS, SECRET)
        assert attrs.evolve(KEY, secret_key="another").secret_key == "another"
        assert copy.deepcopy(KEY).secret_key == SECRET

    def test_two_of_the_same_are_equal_and_others_are_not(self) -> None:
        assert AppKey(ACCESS, SECRET) == KEY
        assert hash(AppKey(ACCESS, SECRET)) == hash(KEY)
        assert AppKey(ACCESS, "another") != KEY
        assert Secret("a") != "a"

    def test_a_pickle_says_that_it_holds_none(self) -> None:
        with pytest.raises(RuntimeError, match="make the AppKey anew"):
            pickle.loads(pickle.dumps(KEY)).secret_key  # noqa: B018
        assert pickle.loads(pickle.dumps(KEY)) != pickle.loads(pickle.dumps(KEY))

    def test_a_secret_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError, match="cannot be changed"):
            Secret("a")._text = "b"
