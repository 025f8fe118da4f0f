"""The garbage collector of a process that makes many objects and hardly a cycle."""

from __future__ import annotations

import gc


def calm_collector() -> None:
    """Look for cycles rarely: a batch makes tens of thousands of objects, and by default each look walks all that the
    process ever loaded (measured: a tenth of the time of applying)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
