"""After an erasure and a prune the auditor's verification has nothing to say against the logs, and tells of both."""

import shutil
from pathlib import Path

import pytest
from custody.world import DAY_S, GROUNDS, NOW_S, keeper, write_log
from ledger.world import decision
from sealed.world import ask, new_store

from extproc.cli.main import main
from extproc.custody.erase import erase_subject
from extproc.custody.prune import prune
from extproc.custody.retention import Order
from extproc.ledger.ids import id_to_bytes
from extproc.sealed.keys import Keys

pytestmark = pytest.mark.slow


def _verify(place: Path) -> int:
    return main(["audit", "verify", str(place)])


@pytest.mark.parametrize("partial", [False, True])
def test_what_was_erased_and_pruned_verifies(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    partial: bool,  # noqa: FBT001 - a case
) -> None:
    store = new_store(tmp_path)
    keys = Keys(store.again())
    private = ask(keys, at=id_to_bytes(decision(5000).id))
    keys.close()
    root = tmp_path / "log"
    old = write_log(root, at_s=NOW_S - 500 * DAY_S, decisions=700, step_s=1.0 if partial else 0.0)
    write_log(root, at_s=NOW_S, first=5000, privates=[private])
    assert _verify(root) == 0
    before_s = NOW_S - 500 * DAY_S + 300 if partial else NOW_S - 400 * DAY_S
    erase_subject(keeper(root), store, tenant="shop", subject="ada", grounds=GROUNDS)
    pruned = prune(keeper(root), Order(before_s=before_s, partial=partial), GROUNDS)
    assert [each.end for each in pruned.recorded] == [256 if partial else 704]
    capsys.readouterr()
    assert _verify(root) == 0
    assert f"{256 if partial else 704} entries were pruned" in capsys.readouterr().out

    # What goes without a record of it is missing.
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    entries = copy / old.relative_to(root) / "log" / "tile" / "entries"
    shutil.rmtree(entries)
    shutil.rmtree(copy / "node-1" / "keeper")
    assert _verify(copy) in (2, 3)
