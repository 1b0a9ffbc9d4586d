"""The envelope around every answer: the service's success code, or its error code and message.

There are several dialects. Version 2.1 of the service has ``code`` where version 2.0 and the gateway have
``status``. The vendor's example of a token answer misspells that as ``stauts``, and the vendor's SDK also
reads ``apim_status``. All of these are read here.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import re
from collections.abc import Collection
from typing import Any, NoReturn, TypeVar

import msgspec

from aioflows.errors import (
    AnswerError,
    BadCredentials,
    BrokenBody,
    Denied,
    ServerFault,
    ServiceError,
    Throttled,
    TokenExpired,
)

__all__ = [
    "Envelope",
    "Unlisted",
    "check",
    "code_of",
    "decode",
    "error_text",
    "excerpt",
    "not_utf8",
    "parse",
    "parse_envelope",
    "refusal",
    "refuse_repeated_members",
    "with_graphs_escaped",
]

T = TypeVar("T")

_KINDS: dict[int, type[ServiceError]] = {
    62101: Denied,  # the user does not exist, or does not belong to the organization
    62103: Denied,  # the user has no privilege
    62109: ServerFault,  # internal exception
    1005: ServerFault,  # the gateway's internal error
    1002: BadCredentials,  # the appKey does not exist
    1003: BadCredentials,  # the encryption is not legal
    1203: TokenExpired,
    4011: TokenExpired,  # this code and the next one come as apim_status
    4012: TokenExpired,
}
_APIM = {"4011", "4012"}  # the vendor's SDK reads these two values of that member and ignores others
_ONCE = {"code", "status", "data", "flowInsts"}
BOM = b"\xef\xbb\xbf"
_BARE_GRAPH = re.compile(r'"graph"\s*:\s*"(?=\{)')
_GRAPH_ENDS = re.compile(r'"\s*[,}]')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SECRET = re.compile(
    r"""(?ix) ((?:token|sign|signature|secret|encryption|app_?key) ["']? \s* [:=] \s* ["']?) [^\s"',;&]+
    | \b [0-9a-f]{32,} \b | [\w.+/=-]{40,}"""
)
_DIGITS = re.compile(r"-?[0-9]{1,18}")


class Unlisted(AnswerError):
    """An answer that reports a number of rows but has no list of them."""


class Envelope(msgspec.Struct):
    """The members that report success or an error. Each may have any type."""

    code: Any = None
    status: Any = None
    stauts: Any = None
    apim_status: Any = None
    msg: Any = None
    message: Any = None


_scanner = json.JSONDecoder()
_envelope = msgspec.json.Decoder(Envelope)


def excerpt(text: str) -> str:
    """Return the first 200 printable characters of a foreign text, with possible secrets masked."""
    printable = "".join(char if char.isprintable() else " " for char in text[:2000])
    return " ".join(_SECRET.sub(lambda found: f"{found[1] or ''}***", printable).split())[:200]


def refusal(
    code: int, message: str, throttle_codes: Collection[int], retry_after: float | None = None
) -> ServiceError:
    """Return the error for a code."""
    if code in throttle_codes:
        return Throttled(code, message, retry_after)
    return _KINDS.get(code, ServiceError)(code, message)


def _number(value: object, path: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    raise AnswerError(f"{value!r:.60} is not a code", path)


def code_of(envelope: Envelope) -> int | None:
    """Return the code of an envelope in any dialect. None means that it has no code.

    Raises:
        AnswerError: the code is not a number, or two dialects contradict each other.
    """
    if str(envelope.apim_status) in _APIM:
        return int(envelope.apim_status)
    code = _number(envelope.code, "$.code")
    if code is None:
        status = _number(envelope.status, "$.status")
        return _number(envelope.stauts, "$.stauts") if status is None else status
    # A word beside a code ("status": "OK") is not a code, so it is ignored. Two numbers must agree.
    if _DIGITS.fullmatch(str(envelope.status)) and int(envelope.status) != code:
        raise AnswerError(f"code {code} and status {envelope.status} contradict each other", "$.status")
    return code


def check(envelope: Envelope, throttle_codes: Collection[int] = ()) -> None:
    """Raise the error of an envelope, if it has one.

    Raises:
        ServiceError: the code is not 0.
    """
    code = code_of(envelope)
    if code:
        raise refusal(code, error_text(envelope), throttle_codes)


def error_text(envelope: Envelope) -> str:
    """Return the message of an envelope."""
    text = envelope.msg if envelope.msg is not None else envelope.message
    return excerpt("" if text is None else str(text))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _one_of_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted(name for name in _ONCE & members.keys() if names.count(name) > 1)
        if twice:
            raise AnswerError(f"the answer has {', '.join(twice)} twice")
    return members


def refuse_repeated_members(body: bytes) -> bool:
    """Raise an `AnswerError` if a member of the envelope comes twice, since its meaning is unclear then.

    Returns:
        True if the body is JSON.
    """
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(body, object_pairs_hook=_one_of_each)
        return True
    return False


def with_graphs_escaped(body: bytes) -> bytes | None:
    """Return a repaired answer, if it quotes graphs without escapes, as one edition of the vendor's docs
    does.

    A graph is repaired if it is whole JSON by itself, followed by its closing quote and a comma or a brace.
    So there is only one way to read it. None means that the answer has no such graph.
    """
    with contextlib.suppress(UnicodeDecodeError, RecursionError):
        text = body.decode()
        parts, done = [], 0
        for found in _BARE_GRAPH.finditer(text):
            try:
                _, end = _scanner.raw_decode(text, found.end())
            except ValueError:
                continue
            if found.start() >= done and _GRAPH_ENDS.match(text, end):
                parts += [
                    text[done : found.end() - 1],
                    json.dumps(text[found.end() : end], ensure_ascii=False),
                ]
                done = end + 1
        return "".join([*parts, text[done:]]).encode() if parts else None
    return None


def _converted(value: object, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        converted: T = msgspec.convert(value, decoder.type, strict=decoder.strict)
    except UnicodeError:
        raise msgspec.ValidationError("there is a lone surrogate in a name or a time") from None
    return converted


def not_utf8(error: UnicodeDecodeError) -> AnswerError:
    """Return the error for a body that is not UTF-8."""
    return AnswerError(f"the answer is not UTF-8: {error.reason}")


def _refuse_other_encodings(body: bytes) -> None:
    """Raise an `AnswerError` if a body that cannot be decoded is not UTF-8. A last character may be cut off.

    The bytes are checked and not the decoder's message, since the message differs between versions of
    msgspec.
    """
    try:
        codecs.utf_8_decode(body, "strict", False)  # False: more may follow
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None


def parse(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return the decoded body.

    Raises:
        msgspec.ValidationError: the body does not have the decoder's shape.
        AnswerError: the body is not JSON, or not UTF-8.
        BrokenBody: the body ends too early.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        if _SURROGATE.search(body):  # the standard library keeps a lone surrogate where msgspec refuses it
            try:
                value = json.loads(body, parse_constant=_refuse_constant)
            except (ValueError, RecursionError):
                pass
            else:
                return _converted(value, decoder)
        if "truncated" in str(error):
            raise BrokenBody(f"the answer ends too early, after {len(body):,} bytes") from None
        if body.lstrip()[:1] == b"<":
            page = excerpt(body[:2000].decode(errors="replace"))
            raise AnswerError(f"a web page came instead of JSON: {page}") from None
        _refuse_other_encodings(body)
        raise AnswerError(str(error)) from None
    except UnicodeDecodeError as error:  # msgspec before 0.23 (later ones raise a DecodeError)
        raise not_utf8(error) from None
    except RecursionError:
        raise AnswerError("the answer is nested too deeply") from None


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return the decoded body. If it does not have the expected shape, the error names the path.

    Raises:
        AnswerError: the body is not JSON, or does not have the decoder's shape.
        BrokenBody: the body ends too early.
    """
    try:
        return parse(decoder, body)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")
        raise AnswerError(problem, path.rstrip("`") or "$") from None
    except AnswerError:
        repaired = with_graphs_escaped(body)
        if repaired is None:
            raise
        return decode(decoder, repaired)


def parse_envelope(body: bytes) -> Envelope:
    """Return the envelope of a body, whatever its payload is.

    Raises:
        AnswerError: the body is not an envelope.
        BrokenBody: the body ends too early.
    """
    body = body.removeprefix(BOM)
    refuse_repeated_members(body)
    return decode(_envelope, body)
