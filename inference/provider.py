"""CPU or GPU, as the operator said, and never one in place of the other.

onnxruntime falls back to the CPU silently: asked for CUDA where there is none, it makes a CPU session without an
error and still lists CUDA as available. A cell that was sized and approved for a GPU would then answer slowly with
nobody knowing. So with `Device.GPU` the fallback is disabled and a small graph must run on CUDA before any model loads.
"""

import contextlib
import sys
from enum import StrEnum
from importlib import metadata
from typing import Any, Final

from inference.errors import ProviderError


class Device(StrEnum):
    """Where models run. There is no automatic choice: the record would not say what was meant."""

    CPU = "cpu"
    GPU = "gpu"


EXECUTION_PROVIDERS: Final = {Device.CPU: "CPUExecutionProvider", Device.GPU: "CUDAExecutionProvider"}
"""onnxruntime's names, as in the answer header x-situs-provider."""

NO_EXTERNAL_DATA: Final = "/dev/null/external-data-is-not-hashed"
"""A folder that cannot exist: weights outside the hashed bytes are refused instead of looked up."""

_DISTRIBUTIONS: Final = ("onnxruntime", "onnxruntime-gpu")

PROBE: Final = bytes.fromhex(
    "080912003a330a0c0a0178120179220452656c751201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a08080112040a02080142040a001011"
)
"""An ONNX model of one node, y = Relu(x), FP32 [1]: small enough to ship, enough to need a working CUDA."""


def check_distributions() -> None:
    """Refuse, before onnxruntime is imported, an environment in which its two wheels overwrote each other."""
    found = [name for name in _DISTRIBUTIONS if _is_installed(name)]
    if len(found) == len(_DISTRIBUTIONS):
        raise ProviderError(
            "both onnxruntime and onnxruntime-gpu are installed and have overwritten each other's files; "
            "uninstall both, then install onnxruntime-gpu alone (it also runs on a CPU)"
        )
    if not found:
        raise ProviderError("onnxruntime is not installed; install the cell's packages with: pip install 'situs[cell]'")


def session_options(runtime: Any, device: Device, threads: int) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """Return onnxruntime's SessionOptions for `device`, computing with `threads` threads per model version."""
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # failed runs would otherwise print values of the request
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # cells share cores
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NO_EXTERNAL_DATA)
    if device is Device.GPU:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def check_device(runtime: Any, device: Device) -> None:  # noqa: ANN401 - onnxruntime has no types
    """Run one operator on `device`; ProviderError with a mend if that is not possible. Once, at start."""
    if device is Device.CPU:
        return
    with contextlib.redirect_stdout(sys.stderr):  # preload_dlls prints; our stdout is the access log's
        runtime.preload_dlls()
    try:
        session = runtime.InferenceSession(
            PROBE, session_options(runtime, device, 1), providers=[EXECUTION_PROVIDERS[device]]
        )
    except Exception as error:
        raise ProviderError(
            "--device gpu: CUDA is not usable here; install an NVIDIA driver and "
            "'onnxruntime-gpu[cuda,cudnn]', or start with --device cpu"
        ) from error
    if EXECUTION_PROVIDERS[device] not in session.get_providers():
        raise ProviderError("--device gpu: onnxruntime made a session without CUDA; start with --device cpu")


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
