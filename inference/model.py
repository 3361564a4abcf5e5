"""One model version, loaded: an onnxruntime session, its signature, and what its errors mean.

The session is used from one thread at a time (`batcher` sees to that). Nothing here knows HTTP.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import onnxruntime

from inference.errors import CellError, DrainingError, FaultError, RefusedInputError, StoreError, TooLargeError
from inference.protocol import Signature
from inference.provider import EXECUTION_PROVIDERS, Device, session_options
from inference.store import Artifact, ModelRef
from inference.tensors import DYNAMIC, ONNX_TYPES, Array, TensorSpec

_INPUT_FAULTS: Final = frozenset({"InvalidArgument", "Fail", "RuntimeException"})
"""onnxruntime's error classes for a run that fails on what it was given. EPFail and EngineError are the device's."""

_TERMINATED: Final = "terminate flag"
_NO_MEMORY: Final = re.compile(r"Failed to allocate|bad_alloc|bad allocation|out of memory", re.IGNORECASE)
_DEVICE_FAULT: Final = re.compile(r"CUDA|CUBLAS|CUDNN", re.IGNORECASE)
_STATUS_MESSAGE: Final = re.compile(r"Status Message: (?:\S*\S+\.(?:cc|h):\d+ )?(?P<reason>[^\n]{1,200})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelIdentity:
    """Which bytes answer, and on what: the part of an answer's identity that is the model's."""

    model: str
    version: int
    digest: str
    provider: str


class Model:
    """A loaded model version. `compute` may be called from any one thread at a time; `terminate` from every other."""

    def __init__(self, *, identity: ModelIdentity, signature: Signature, session: Any) -> None:  # noqa: ANN401
        self.identity = identity
        self.signature = signature
        self._session = session
        self._options = onnxruntime.RunOptions()
        self._options.log_severity_level = 4

    @property
    def is_batchable(self) -> bool:
        """Whether rows of several requests may be joined: every tensor's first dimension is dynamic."""
        specs = (*self.signature.inputs, *self.signature.outputs)
        return bool(self.signature.inputs) and all(spec.shape[:1] == (DYNAMIC,) for spec in specs)

    def compute(self, feed: dict[str, Array]) -> Sequence[Array]:
        """Return the outputs in the signature's order.

        RefusedInputError and TooLargeError for what the input caused, FaultError for what it did not,
        DrainingError after `terminate`.
        """
        try:
            results: Sequence[Array] = self._session.run(None, feed, self._options)
        except Exception as error:
            raise _explain(error) from error
        return results

    def terminate(self) -> None:
        """Make the running `compute`, and every later one, end with DrainingError at its next operator."""
        self._options.terminate = True


def load_model(artifact: Artifact, *, device: Device, threads: int) -> Model:
    """Make a session of the artifact's bytes; StoreError with the path if it cannot be served."""
    ref, provider = artifact.ref, EXECUTION_PROVIDERS[device]
    try:
        session = onnxruntime.InferenceSession(
            artifact.content, session_options(onnxruntime, device, threads), providers=[provider]
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise StoreError(
            f"{ref.path}: cannot be loaded on {provider}: {reason}; export it again or remove it"
        ) from error
    return Model(
        identity=ModelIdentity(model=ref.model, version=ref.version, digest=artifact.digest, provider=provider),
        signature=Signature(
            inputs=tuple(_spec(ref, argument) for argument in session.get_inputs()),
            outputs=tuple(_spec(ref, argument) for argument in session.get_outputs()),
        ),
        session=session,
    )


def _spec(ref: ModelRef, argument: Any) -> TensorSpec:  # noqa: ANN401 - onnxruntime has no types
    datatype = ONNX_TYPES.get(argument.type)
    if datatype is None:
        raise StoreError(
            f"{ref.path}: tensor {argument.name!r} is a {argument.type}, which JSON tensors cannot carry; "
            "export tensors only (for scikit-learn classifiers: zipmap off)"
        )
    shape = tuple(dim if isinstance(dim, int) and dim > 0 else DYNAMIC for dim in argument.shape)
    return TensorSpec(name=argument.name, datatype=datatype, shape=shape)


def _explain(error: Exception) -> CellError:
    """Say whose fault a failed run is. onnxruntime has few error classes, so its message decides within them."""
    text = str(error)
    if _TERMINATED in text:
        return DrainingError("the cell is stopping; send the request again, elsewhere")
    if _NO_MEMORY.search(text):
        return TooLargeError("the input needs more memory than this cell has; send fewer or smaller tensors")
    if type(error).__name__ not in _INPUT_FAULTS or _DEVICE_FAULT.search(text):
        return FaultError(" ".join(text.split())[:300])
    match = _STATUS_MESSAGE.search(text)
    reason = match["reason"] if match else "no reason given"
    return RefusedInputError(f"the model refuses these inputs: {reason}; send values that it accepts")
