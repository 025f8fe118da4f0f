"""CSV files in: read, checked row by row, and handed to the inbox (or to a campaign) as any other door does.

In: a file and a `ImportRequest`. Out: `run`, its `ImportProgress` hooks, `LOCK`. Keeps: how far each file came (table `import_file`).
"""

from hub.imports.running import LOCK, ImportProgress, give_up, run

__all__ = ["LOCK", "ImportProgress", "give_up", "run"]
