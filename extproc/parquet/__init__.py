"""The records as Parquet tables: derived, rebuildable, and read in place by DuckDB, Trino, Spark and ClickHouse.

Owns the layout and the schema (:mod:`extproc.parquet.tables` is its manual) and the building, which hashes every entry
again and refuses what is not under the root of its checkpoint. The records are the logs, and the tables a view of them.

Needs the extra `audit`: `pip install situs[audit]`.
"""

from extproc.parquet.building import Built, build
from extproc.parquet.schema import SCHEMA_VERSION, Column, Kind, Table
from extproc.parquet.tables import TABLES

__all__ = ["SCHEMA_VERSION", "TABLES", "Built", "Column", "Kind", "Table", "build"]
