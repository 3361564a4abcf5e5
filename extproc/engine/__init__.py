"""Work on many parts of a log at once: on all cores here, or on an engine that an auditor's platform already has.

Owns how work is spread, and nothing of what it is. There is no scheduler of our own.
"""

from extproc.engine.engine import Engine, EngineError, SerialEngine
from extproc.engine.names import open_engine
from extproc.engine.processes import ProcessEngine

__all__ = ["Engine", "EngineError", "ProcessEngine", "SerialEngine", "open_engine"]
