import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.ledger.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from extproc.notes.errors import MalformedError

_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="+", exclude_categories=["Z", "C"]), min_size=1)
_ROOT = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@given(st.builds(Checkpoint, origin=_NAMES, size=st.integers(0, 1 << 63), root=st.binary(min_size=32, max_size=32)))
def test_checkpoints_parse_to_what_was_formatted(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        f"origin\n1\n{_ROOT}\nextension\n",
        f"origin\n1\n{_ROOT}",
        f"\n1\n{_ROOT}\n",
        f"origin\n01\n{_ROOT}\n",
        f"origin\n-1\n{_ROOT}\n",
        f"origin\n\u0661\n{_ROOT}\n",
        pytest.param(f"origin\n{'9' * 5000}\n{_ROOT}\n", id="a size that no tree has"),
        f"origin\n\n{_ROOT}\n",
        "origin\n1\nAAAA\n",
        "origin\n1\n!\n",
        f"origin\n1\n{_ROOT[:-2]}B=\n",
    ],
)
def test_strict_checkpoints(text: str) -> None:
    with pytest.raises(MalformedError, match="checkpoint"):
        parse_checkpoint(text)
