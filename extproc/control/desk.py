"""What is answered at the socket to somebody who may ask."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

import structlog

from extproc.control.errors import ControlError, OrderError
from extproc.control.http import Answer, Request, parse_body, refusal
from extproc.control.orders import (
    Action,
    CarriedOut,
    Order,
    carry_out,
    check_known,
    parse_order,
    suspension_to_document,
)
from extproc.control.peers import Peer
from extproc.control.running import Running
from extproc.control.status import status_to_document
from extproc.strict_yaml import DocumentError

_log = structlog.get_logger(__name__)

WRITE_S: Final = 15.0
"""How long an order may take to be in the file: somebody else may be writing there, and disks can be slow."""
IN_FORCE_S: Final = 5.0
"""How long an order that is written may take to be in force; it should take a quarter of a second."""
_ORDERS: Final = {f"/v1/{action}": action for action in Action}
_QUESTIONS: Final = ("/v1/status", "/v1/orders")


class Desk:
    """Answers requests; orders are written into the file `overrides` by a thread of its own, one at a time."""

    def __init__(self, running: Running, overrides: Path, *, clock: Callable[[], float]) -> None:
        self._running = running
        self._overrides = overrides
        self._clock = clock
        # Not the thread pool that all share: a disk that hangs must not keep a policy from being loaded.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="situs-control")
        if not os.access(overrides.parent, os.W_OK):
            _log.warning("orders through the control socket cannot be written: the folder is read-only", file=overrides)

    def close(self) -> None:
        """Take no more orders. One that is being written is written to its end."""
        self._writer.shutdown(wait=False, cancel_futures=True)

    async def answer(self, request: Request, peer: Peer) -> Answer:
        """Answer one request. Raises BadRequestError."""
        if request.path in _ORDERS:
            if request.method != "POST":
                return refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"an order is sent. Mend: POST {request.path}")
            return await self._order(_ORDERS[request.path], parse_body(request.body), peer)
        if request.path not in _QUESTIONS:
            known = ", ".join(sorted([*_ORDERS, *_QUESTIONS]))
            return refusal(HTTPStatus.NOT_FOUND, f"nothing is here. Mend: ask for one of {known}")
        if request.method != "GET":
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"that is a question. Mend: GET {request.path}")
        try:
            document = status_to_document(await self._running.status())
        except ControlError as error:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        if request.path == "/v1/orders":
            document = {key: document[key] for key in ("at", "orders", "inert")}
        return Answer(status=HTTPStatus.OK, document=document)

    async def _order(self, action: Action, document: object, peer: Peer) -> Answer:
        now_s = self._clock()
        try:
            order = parse_order(action, document, now_s=now_s)
            if action is Action.SUSPEND:
                known = await self._running.names(order.kind)
                if known is not None:
                    check_known(order, known, "the policy in force")
            done = await self._carry_out(order, now_s)
        except (OrderError, DocumentError, OSError, TimeoutError) as error:
            answer = _refused(error, self._overrides)
            _log.warning(
                "an order through the control socket was refused",
                action=action.value,
                error=answer.document["error"],
                uid=peer.uid,
                pid=peer.pid,
            )
            return answer
        _log.warning(
            "an order was given through the control socket",
            action=action.value,
            kind=order.kind.value,
            name=order.name,
            orders=[each.id for each in (*done.added, *done.ended)],
            approved_by=order.approved_by,
            uid=peer.uid,
            pid=peer.pid,
        )
        return Answer(
            status=HTTPStatus.OK,
            document={
                "ids": [each.id for each in (*done.added, *done.ended)],
                "in_force": await self._in_force(done),
                "orders": [suspension_to_document(each) for each in done.orders.suspensions],
            },
        )

    async def _carry_out(self, order: Order, now_s: float) -> CarriedOut:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WRITE_S):
            return await loop.run_in_executor(self._writer, partial(carry_out, order, self._overrides, now_s=now_s))

    async def _in_force(self, done: CarriedOut) -> bool | None:
        """Tell whether decisions are made by it now; None where nobody here can tell."""
        added, ended = frozenset(each.id for each in done.added), frozenset(each.id for each in done.ended)
        try:
            async with asyncio.timeout(IN_FORCE_S):
                return True if await self._running.taken(added, ended) else None
        except TimeoutError:
            _log.error("an order is written and not in force yet", added=sorted(added), ended=sorted(ended))
            return False


def _refused(error: Exception, file: Path) -> Answer:
    match error:
        case OrderError():
            return refusal(HTTPStatus.BAD_REQUEST, str(error))
        case TimeoutError():
            message = (
                f"{file} was not written within {WRITE_S:g} s, and may be written yet. Mend: look what `situs status` "
                "says, and at the disk"
            )
            return refusal(HTTPStatus.GATEWAY_TIMEOUT, message)
        case DocumentError():
            return refusal(HTTPStatus.CONFLICT, str(error))
        case _:
            message = f"{file} cannot be written: {error}. Mend: make room there, or see who may write there"
            return refusal(HTTPStatus.INSUFFICIENT_STORAGE, message)
