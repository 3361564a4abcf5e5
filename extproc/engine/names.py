"""From what a person writes to an engine."""

import os

from extproc.engine.engine import Engine, EngineError, SerialEngine
from extproc.engine.processes import ProcessEngine


def open_engine(name: str) -> Engine:
    """Give the engine of a name: `auto`, `serial`, `processes`, `processes=N`, `dask`, `dask=ADDRESS`.

    `auto` is one process for each core, or none beside this one where there is a single core. Raises EngineError.
    """
    kind, equals, value = name.partition("=")
    match kind, bool(equals):
        case "auto", False:
            return ProcessEngine() if len(os.sched_getaffinity(0)) > 1 else SerialEngine()
        case "serial", False:
            return SerialEngine()
        case "processes", False:
            return ProcessEngine()
        case "processes", True if value.isascii() and value.isdigit():
            return ProcessEngine(int(value))
        case "dask", _ if value or not equals:
            from extproc.engine.dask import DaskEngine  # noqa: PLC0415 - an extra, and slow to import

            return DaskEngine(value or None)
    raise EngineError(f"{name}: no engine. Mend: write auto, serial, processes, processes=N, dask or dask=ADDRESS")
