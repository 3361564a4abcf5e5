"""Tensors in JSON: strict from the wire into numpy, exact from numpy onto the wire.

SPEC: Open Inference Protocol, "Tensor Data": row-major, either flat or nested as the shape says.

Nothing is converted that the client did not write: a number is not a truth value, 1.5 is no integer, 300 is no
UINT8, 1e39 is no FP32. A refusal names the tensor and says what to send in its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from inference.errors import InvalidTensorError

Array: TypeAlias = npt.NDArray[Any]

DYNAMIC: Final = -1
"""A dimension that the request chooses. SPEC: OIP writes it -1 in metadata."""


MAX_DIMENSION: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DataType:
    """One OIP datatype: its name on the wire, its numpy dtype, and the JSON values that it is written with."""

    name: str
    dtype: np.dtype[Any]
    json_types: frozenset[type]
    written: str


def _datatype(name: str, dtype: npt.DTypeLike, written: str, *json_types: type) -> DataType:
    return DataType(name=name, dtype=np.dtype(dtype), written=written, json_types=frozenset(json_types))


_INTEGERS: Final = "integers"
_NUMBERS: Final = "numbers"

ONNX_TYPES: Final[dict[str, DataType]] = {
    "tensor(bool)": _datatype("BOOL", np.bool_, "true or false", bool),
    "tensor(uint8)": _datatype("UINT8", np.uint8, _INTEGERS, int),
    "tensor(uint16)": _datatype("UINT16", np.uint16, _INTEGERS, int),
    "tensor(uint32)": _datatype("UINT32", np.uint32, _INTEGERS, int),
    "tensor(uint64)": _datatype("UINT64", np.uint64, _INTEGERS, int),
    "tensor(int8)": _datatype("INT8", np.int8, _INTEGERS, int),
    "tensor(int16)": _datatype("INT16", np.int16, _INTEGERS, int),
    "tensor(int32)": _datatype("INT32", np.int32, _INTEGERS, int),
    "tensor(int64)": _datatype("INT64", np.int64, _INTEGERS, int),
    "tensor(float16)": _datatype("FP16", np.float16, _NUMBERS, int, float),
    "tensor(float)": _datatype("FP32", np.float32, _NUMBERS, int, float),
    "tensor(double)": _datatype("FP64", np.float64, _NUMBERS, int, float),
    "tensor(string)": _datatype("BYTES", np.object_, "strings", str),
}
"""onnxruntime's name of a type -> ours. What is missing here (maps, sequences, BF16) cannot be served in JSON."""

_QUOTED_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output of a model: name, datatype and shape, `DYNAMIC` where the request chooses."""

    name: str
    datatype: DataType
    shape: tuple[int, ...]

    def as_metadata(self) -> dict[str, object]:
        """Return the tensor as OIP model metadata writes it."""
        return {"name": self.name, "datatype": self.datatype.name, "shape": list(self.shape)}


def quote(text: object) -> str:
    """Return what a client sent so that it is safe and short inside a message: ASCII, at most 80 characters."""
    shown = ascii(text) if isinstance(text, str) else f"a value of type {type(text).__name__}"
    return shown if len(shown) <= _QUOTED_CHARACTERS else shown[: _QUOTED_CHARACTERS - 3] + "..."


def parse_tensor(spec: TensorSpec, tensor: dict[str, Any]) -> Array:
    """Return the array that the JSON object `tensor` holds for the input `spec`; InvalidTensorError otherwise."""
    _check_datatype(spec, tensor.get("datatype"))
    shape = _parse_shape(spec, tensor.get("shape"))
    flat = _flatten(spec, tensor.get("data"), shape)
    return _convert(spec, flat).reshape(shape)


def format_tensor(spec: TensorSpec, array: Array) -> dict[str, object]:
    """Return the OIP JSON object of one output; `data` is flat, row-major and exact.

    FP16 and FP32 are widened first: JSON readers parse into doubles, and only the digits of the double are sure to
    come back as the same FP32.
    """
    flat = array.reshape(-1)
    data: object = flat.tolist() if flat.dtype.kind in "OU" else np.ascontiguousarray(flat)
    if flat.dtype.kind == "f":
        data = np.ascontiguousarray(flat, dtype=np.float64)
    return {"name": spec.name, "datatype": spec.datatype.name, "shape": list(array.shape), "data": data}


def is_finite(array: Array) -> bool:
    """Say whether `array` can be written in strict JSON, which has neither NaN nor infinities."""
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _check_datatype(spec: TensorSpec, datatype: object) -> None:
    if datatype != spec.datatype.name:
        raise InvalidTensorError(
            f"input {quote(spec.name)}: datatype is {quote(datatype)}; send {quote(spec.datatype.name)}"
        )


def _parse_shape(spec: TensorSpec, shape: object) -> tuple[int, ...]:
    expected = list(spec.shape)
    if not isinstance(shape, list) or not all(type(dim) is int for dim in shape):
        raise InvalidTensorError(f"input {quote(spec.name)}: shape must be a list of integers; send {expected}")
    if len(shape) != len(spec.shape):
        raise InvalidTensorError(
            f"input {quote(spec.name)}: shape has {len(shape)} dimensions; send {len(spec.shape)}, as in {expected}"
        )
    for axis, (dim, wanted) in enumerate(zip(shape, spec.shape, strict=True)):
        if not 1 <= dim <= MAX_DIMENSION:
            raise InvalidTensorError(f"input {quote(spec.name)}: shape[{axis}] must be from 1 to {MAX_DIMENSION}")
        if wanted not in (DYNAMIC, dim):
            raise InvalidTensorError(f"input {quote(spec.name)}: shape[{axis}] is {dim}; send {wanted}")
    return tuple(shape)


def _flatten(spec: TensorSpec, data: object, shape: Sequence[int]) -> list[Any]:
    if not isinstance(data, list):
        raise InvalidTensorError(f"input {quote(spec.name)}: data must be a list of {spec.datatype.written}")
    flat = _unnest(spec, data, shape) if data and type(data[0]) is list else data
    count = prod(shape)
    if len(flat) != count:
        raise InvalidTensorError(f"input {quote(spec.name)}: data has {len(flat)} elements; its shape asks for {count}")
    return flat


def _unnest(spec: TensorSpec, data: list[Any], shape: Sequence[int]) -> list[Any]:
    level = data
    for dim in shape[1:]:
        if not all(type(row) is list and len(row) == dim for row in level):
            raise InvalidTensorError(
                f"input {quote(spec.name)}: data is not nested as its shape says; nest it so or send a flat list"
            )
        level = list(chain.from_iterable(level))
    return level


def _convert(spec: TensorSpec, flat: list[Any]) -> Array:
    datatype = spec.datatype
    if not datatype.json_types.issuperset(map(type, flat)):
        raise InvalidTensorError(
            f"input {quote(spec.name)}: data has an element that is not {datatype.name}; send {datatype.written} only"
        )
    try:
        if datatype.dtype.kind == "f":
            with np.errstate(over="raise"):
                return np.array(flat, dtype=np.float64).astype(datatype.dtype)
        if datatype.dtype.kind == "O":
            "".join(flat).encode()
        return np.array(flat, dtype=datatype.dtype)
    except (OverflowError, FloatingPointError) as error:
        raise InvalidTensorError(
            f"input {quote(spec.name)}: data has a value beyond {datatype.name}; send values that fit"
        ) from error
    except UnicodeEncodeError as error:
        raise InvalidTensorError(
            f"input {quote(spec.name)}: data has a string that is not Unicode text; send no lone surrogates"
        ) from error
