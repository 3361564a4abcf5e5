"""Envoy's reports on their way from the worker that they reached to the one that decided.

Apart from the other codecs, because only workers read them: the supervisor passes the bytes on, and needs no Envoy
types.
"""

from dataclasses import fields
from typing import Final

from extproc.wire.access_log import AttemptEnded, Ended, RequestEnded
from extproc.workers.codecs import attempt_from_plain, attempt_to_plain, dumps, loads

_ATTEMPT: Final = "a"
_REQUEST: Final = "r"
_OF_ATTEMPT: Final = tuple(field.name for field in fields(AttemptEnded) if field.name != "attempt")
_OF_REQUEST: Final = tuple(field.name for field in fields(RequestEnded))


def format_report(ended: Ended) -> bytes:
    """Write a report."""
    if isinstance(ended, AttemptEnded):
        return dumps([_ATTEMPT, [getattr(ended, name) for name in _OF_ATTEMPT], attempt_to_plain(ended.attempt)])
    return dumps([_REQUEST, [getattr(ended, name) for name in _OF_REQUEST]])


def parse_report(body: bytes) -> Ended:
    """Read a report."""
    what, told, *attempt = loads(body)
    if what == _ATTEMPT:
        return AttemptEnded(**dict(zip(_OF_ATTEMPT, told, strict=True)), attempt=attempt_from_plain(attempt[0]))
    return RequestEnded(**dict(zip(_OF_REQUEST, told, strict=True)))
