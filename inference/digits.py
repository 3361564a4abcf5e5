"""Train, export and check the model of the demo and the tests: real handwritten digits, in seconds, offline.

The data is scikit-learn's bundled copy of the UCI optical recognition digits: 1,797 images of 8 x 8 pixels, each pixel
0 to 16. The same versions of the libraries give the same bytes, so every region of a demo serves one digest.

`samples.json` is written last and in one step: whoever finds it finds a checked model beside it.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # has no stubs

from inference.tensors import Array

SEED: Final = 7
LEAST_ACCURACY: Final = 0.9
SAMPLES: Final = 50
_TOLERANCE: Final = 1e-5
_OPSETS: Final = {"": 17, "ai.onnx.ml": 3}


class UnfitModelError(Exception):
    """The trained or exported model is not good enough to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """The data, split once: `train` is learned from, `test` only judged by. Images are float32 [n, 64], labels [n]."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


def load() -> Digits:
    """Return the bundled digits, a quarter of them held out, all classes in proportion."""
    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images.astype(np.float32), labels, test_size=0.25, random_state=SEED, stratify=labels)
    return Digits(train_images=split[0], test_images=split[1], train_labels=split[2], test_labels=split[3])


def train(digits: Digits) -> Pipeline:
    """Return a small network (64 pixels, 64 hidden, 10 classes) fitted with a fixed seed and number of steps."""
    network = MLPClassifier((64,), solver="lbfgs", alpha=1.0, max_iter=100, random_state=SEED)
    classifier = make_pipeline(MinMaxScaler(), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is fixed on purpose
        # One thread: the order of summation, and so the last bit, must not depend on the number of cores.
        with threadpool_limits(1):
            classifier.fit(digits.train_images, digits.train_labels)
    return classifier


def export(classifier: Pipeline) -> bytes:
    """Return ONNX bytes: `image` FP32 [-1,64] to `label` INT64 [-1] and `probabilities` FP32 [-1,10]."""
    model = convert_sklearn(
        classifier,
        name="digits",
        initial_types=[("image", FloatTensorType([None, 64]))],
        options={"zipmap": False},
        target_opset=_OPSETS,
    )
    # The exporter keeps its opsets in a set, so their order would change with every process.
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def check(content: bytes, classifier: Pipeline, digits: Digits) -> float:
    """Return the accuracy of the exported graph on the held-out images.

    UnfitModelError if it is below `LEAST_ACCURACY`, or if the graph and scikit-learn disagree on any image.
    """
    session: Any = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    label, probabilities = session.run(["label", "probabilities"], {"image": digits.test_images})
    if not np.array_equal(label, classifier.predict(digits.test_images)):
        raise UnfitModelError("the exported graph and scikit-learn disagree on a label")
    apart = float(np.abs(probabilities - classifier.predict_proba(digits.test_images)).max())
    if apart > _TOLERANCE:
        raise UnfitModelError(f"the exported graph's probabilities are {apart:g} from scikit-learn's")
    accuracy = float(np.mean(label == digits.test_labels))
    if accuracy < LEAST_ACCURACY:
        raise UnfitModelError(f"accuracy {accuracy:.4f} on held-out images is below {LEAST_ACCURACY}")
    return accuracy


def write(output: Path) -> float:
    """Train, export, check and write `digits/1/model.onnx`, then `digits/samples.json`; return the accuracy."""
    digits = load()
    classifier = train(digits)
    content = export(classifier)
    accuracy = check(content, classifier, digits)
    samples = [
        {"image": image.tolist(), "label": int(label)}
        for image, label in zip(digits.test_images[:SAMPLES], digits.test_labels[:SAMPLES], strict=True)
    ]
    _replace(output / "digits" / "1" / "model.onnx", content)
    _replace(output / "digits" / "samples.json", json.dumps({"accuracy": accuracy, "samples": samples}).encode())
    return accuracy


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` and return its exit status: 0, or 1 if the model is unfit."""
    parser = argparse.ArgumentParser(
        prog="python -m inference.digits", description="Train and export the handwritten digits model of the demo."
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="model store to write digits/ into, as build/models"
    )
    output = parser.parse_args(arguments).output
    try:
        accuracy = write(output)
    except UnfitModelError as error:
        sys.stderr.write(f"digits: {error}; nothing was written\n")
        return 1
    sys.stdout.write(f"digits: accuracy {accuracy:.4f} on held-out images; written to {output / 'digits'}\n")
    return 0


def _replace(path: Path, content: bytes) -> None:
    """Write `path` in one step: readers see the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
