"""What import-linter has no contract for: nobody inside a package imports from its top, where that imports its insides."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_module_imports_from_the_top_of_its_own_package():
    imports = {_name(path): _imported(path) for path in sorted((ROOT / "hub").rglob("*.py"))}
    tops = {name for name, found in imports.items() if any(one.startswith(f"{name}.") for one in found)}
    arrows = [
        f"{module} imports {one}"
        for module, found in imports.items()
        for one in found
        if one in tops and module.startswith(f"{one}.")
    ]
    assert arrows == [], "take the name from the module that defines it"


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hub"):
            for alias in node.names:
                inner = ROOT.joinpath(*str(node.module).split("."), alias.name)
                is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
                found.add(f"{node.module}.{alias.name}" if is_module else str(node.module))
    return found
