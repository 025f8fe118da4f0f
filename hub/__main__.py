"""`python -m hub` and the command `hub`."""

from __future__ import annotations

from hub.cli import hub
from hub.core.private_files import keep_private


def main() -> None:
    """Run the command line. What it makes holds personal data, so it is made for this user alone."""
    keep_private()
    hub(prog_name="hub")


if __name__ == "__main__":
    main()
