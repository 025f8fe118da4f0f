"""The command line. One module per group of commands; `commands` lists them.

In: what an operator types. Out: calls of `hub.admin`, and lines on the terminal. Keeps: nothing.
"""

from hub.cli.commands import hub

__all__ = ["hub"]
