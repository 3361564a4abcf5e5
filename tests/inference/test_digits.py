import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference import digits


@pytest.mark.slow
def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    """In processes that hash, and so order their sets, differently."""
    outputs = []
    for seed in ("1", "2"):
        output = tmp_path / seed
        command = [sys.executable, "-m", "inference.digits", "--output", str(output)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        samples = (output / "digits" / "samples.json").read_bytes()
        assert f"accuracy {json.loads(samples)['accuracy']:.4f}" in done.stdout
        assert sorted(path.name for path in (output / "digits").iterdir()) == ["1", "samples.json"]
        outputs.append(((output / "digits" / "1" / "model.onnx").read_bytes(), samples))
    assert outputs[0] == outputs[1]


def test_samples_are_held_out_images(samples: dict[str, Any]) -> None:
    data = digits.load()
    assert 0.9 <= samples["accuracy"] <= 1
    assert [sample["label"] for sample in samples["samples"]] == data.test_labels[:50].tolist()
    trained = {image.tobytes() for image in data.train_images}
    images = [np.array(sample["image"], dtype=np.float32) for sample in samples["samples"]]
    assert len(images) == 50
    assert not any(image.tobytes() in trained for image in images)


@pytest.mark.slow
def test_a_bad_model_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = digits.load()
    rolled = digits.Digits(
        train_images=data.train_images,
        train_labels=np.roll(data.train_labels, 1),
        test_images=data.test_images,
        test_labels=data.test_labels,
    )
    monkeypatch.setattr(digits, "load", lambda: rolled)
    assert digits.main(["--output", str(tmp_path)]) == 1
    assert "below 0.9" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_samples_are_json(digits_store: Path) -> None:
    loaded = json.loads((digits_store / "digits" / "samples.json").read_text())
    assert set(loaded) == {"accuracy", "samples"}
