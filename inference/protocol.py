"""Open Inference Protocol messages: JSON bytes to arrays, arrays to JSON bytes.

SPEC: https://github.com/kserve/open-inference-protocol, "Inference". The binary tensor extension, shared memory and
classification are not served, and a request that asks for one is refused rather than answered differently.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from inference.errors import InvalidRequestError, InvalidTensorError
from inference.tensors import Array, TensorSpec, format_tensor, is_finite, parse_tensor, quote

_UNSERVED: Final = frozenset(
    {
        "binary_data",
        "binary_data_output",
        "binary_data_size",
        "classification",
        "shared_memory_offset",
        "shared_memory_byte_size",
        "shared_memory_region",
    }
)
_NON_FINITE: Final = (b"NaN", b"Infinity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The inputs and outputs of a model, in the model's own order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """A request that is well formed for its model: one array per input, and which outputs to answer, by index."""

    id: str | None
    feed: dict[str, Array]
    outputs: tuple[int, ...]


def parse_infer_request(body: bytes, signature: Signature) -> InferRequest:
    """Return the request that `body` holds; InvalidRequestError or InvalidTensorError names the place and the mend."""
    message = _parse_json(body)
    if not isinstance(message, dict):
        raise InvalidRequestError('the body must be a JSON object; send {"inputs": [...]}')
    _check_parameters("the request", message)
    return InferRequest(
        id=_parse_id(message.get("id")),
        feed=_parse_inputs(message.get("inputs"), signature.inputs),
        outputs=_parse_outputs(message.get("outputs"), signature.outputs),
    )


def format_infer_response(
    *, model: str, version: int, request: InferRequest, signature: Signature, results: Sequence[Array]
) -> bytes:
    """Return the JSON bytes of the answer.

    JSON has no NaN and no infinities. Where an output holds one, the standard writer's tokens NaN, Infinity and
    -Infinity are used, as OIP servers commonly do, rather than a null that would hide the difference.
    """
    message: dict[str, object] = {"model_name": model, "model_version": str(version)}
    if request.id is not None:
        message["id"] = request.id
    message["outputs"] = [format_tensor(signature.outputs[index], results[index]) for index in request.outputs]
    if all(is_finite(results[index]) for index in request.outputs):
        return orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(message, separators=(",", ":"), default=lambda array: array.tolist()).encode()


def _parse_json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not any(token in body for token in _NON_FINITE):
            raise InvalidRequestError(f"the body is not JSON: {error}; send one UTF-8 JSON object") from error
    # Only a body that orjson refuses and that may hold NaN pays for the slower parser, which reads these tokens.
    try:
        message: object = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError("the body is not JSON; send one UTF-8 JSON object") from error
    return message


def _parse_id(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidRequestError("id must be a string; send it in quotes or leave it out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError("id is not Unicode text; send no lone surrogates") from error
    return value


def _parse_inputs(tensors: object, specs: tuple[TensorSpec, ...]) -> dict[str, Array]:
    given = _by_name("inputs", tensors, [spec.name for spec in specs])
    feed = {}
    for spec in specs:
        if spec.name not in given:
            raise InvalidTensorError(f"input {quote(spec.name)} is missing; send it with datatype and shape")
        feed[spec.name] = parse_tensor(spec, given[spec.name])
    return feed


def _parse_outputs(tensors: object, specs: tuple[TensorSpec, ...]) -> tuple[int, ...]:
    names = [spec.name for spec in specs]
    if tensors is None or tensors == []:
        return tuple(range(len(specs)))
    return tuple(names.index(name) for name in _by_name("outputs", tensors, names))


def _by_name(member: str, tensors: object, known: list[str]) -> dict[str, dict[str, Any]]:
    """Return the objects of a list of named tensors, each known, each once, in the order given."""
    kind = member.removesuffix("s")
    if not isinstance(tensors, list):
        raise InvalidRequestError(f"{member} must be a list of tensors; the model has {_listed(known)}")
    found: dict[str, dict[str, Any]] = {}
    for position, tensor in enumerate(tensors):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            raise InvalidRequestError(f"{member}[{position}] must be an object with a name from {_listed(known)}")
        if name not in known:
            raise InvalidTensorError(f"{kind} {quote(name)} is not the model's; send {_listed(known)}")
        if name in found:
            raise InvalidTensorError(f"{kind} {quote(name)} is given twice; send it once")
        _check_parameters(f"{kind} {quote(name)}", tensor)
        found[name] = tensor
    return found


def _listed(names: list[str]) -> str:
    return ", ".join(quote(name) for name in names) or "no tensors"


def _check_parameters(place: str, holder: dict[str, Any]) -> None:
    parameters = holder.get("parameters")
    if parameters is None:
        return
    if not isinstance(parameters, dict):
        raise InvalidRequestError(f"{place}: parameters must be a JSON object; send one or leave it out")
    for name in sorted(_UNSERVED.intersection(parameters)):
        if parameters[name] is not False:
            raise InvalidRequestError(
                f"{place}: parameter {name!r} is not served here; leave it out and send JSON data"
            )
