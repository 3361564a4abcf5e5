"""Several sidecars as one: a supervisor and N equal workers, each a process of its own.

With `--workers 1` nothing of this runs. With more, the command becomes the supervisor and starts the workers by running
the same command again with one hidden option; nothing is forked.

- A **worker** is a whole sidecar: own socket, log, key, configuration, watchers and upkeep. It decides alone.
- The **supervisor** decides nothing. It has the one board and the probes (:mod:`extproc.workers.hub`), the admin
  endpoint, and starts a worker that ended again (:mod:`extproc.workers.crew`).
- A **channel** joins the two: a socket pair with frames (:mod:`extproc.workers.channel`). Down go standings and
  fitness, up go Envoy's attempts and each worker's catalogue; reports that reached the wrong worker go up and down.
- **Requests in flight** are counted in one shared block, one row for each worker, which alone writes there
  (:mod:`extproc.workers.counters`).

Without the supervisor a worker drains and ends. A worker that ends takes nothing with it but its own requests.
"""
