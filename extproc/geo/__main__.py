"""What the inspecting process runs; see :mod:`extproc.geo.apart`. Not a command for people.

Its one argument is the request in JSON. Prints that the database is sound, or `what` is wrong with it and the `mend` in
JSON.
"""

import errno
import json
import os
import resource
import sys
from pathlib import Path

from extproc.geo.apart import ENDED_NORMALLY, FOUND, NICENESS, OUT_OF_MEMORY, SOUND
from extproc.geo.errors import GeoDatabaseError
from extproc.geo.inspection import Inspection, Purpose


def main(request: str) -> int:
    """Run one inspection within the limits that the request sets; return the exit status."""
    asked = json.loads(request)
    resource.setrlimit(resource.RLIMIT_AS, (asked["limit_bytes"], asked["limit_bytes"]))
    # Nobody is left to end this process if its parent is killed.
    resource.setrlimit(resource.RLIMIT_CPU, (int(asked["limit_s"]), int(asked["limit_s"]) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    inspection = Inspection(
        purpose=Purpose(asked["purpose"]), now_s=asked["now_s"], not_older_than=asked["not_older_than"]
    )
    try:
        inspection.inspect(asked["copy"], Path())  # the caller knows the path
    except GeoDatabaseError as error:
        sys.stdout.write(json.dumps({"what": error.what, "mend": error.mend}))
        return FOUND
    except MemoryError:
        return OUT_OF_MEMORY
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return OUT_OF_MEMORY
        raise
    sys.stdout.write(SOUND.decode())
    return ENDED_NORMALLY


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
