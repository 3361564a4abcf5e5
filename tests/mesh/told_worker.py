"""A sidecar that does as it is told, as a process that can be killed or stopped. Its argument is its socket."""

import sys
import time
from pathlib import Path

from mesh.world import ToldSidecar

_LONGEST_S = 120.0

if __name__ == "__main__":
    sidecar = ToldSidecar(Path(sys.argv[1]))
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    time.sleep(_LONGEST_S)
    sidecar.close()
