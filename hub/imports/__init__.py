"""CSV files in: read, checked row by row, and handed to the inbox (or to a campaign) as any other door does.

In: a file and a `Wish`. Out: `run`, its `Told` hooks, `LOCK`. Keeps: how far each file came (table `import_file`).
"""

from hub.imports.running import LOCK, Told, give_up, run

__all__ = ["LOCK", "Told", "give_up", "run"]
