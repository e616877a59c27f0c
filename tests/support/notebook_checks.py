"""What must hold in a notebook, asked in the notebook's own kernel and shown on no page.

`tests/notebook_checks/05.py` belongs to the notebook whose name begins with 05. Its function
`after_live_view` runs after the cell `live-view` and sees the notebook's variables; what it names
itself is gone when it ends.
"""

import ast
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "notebook_checks"


def functions(notebook, folder=FOLDER):
    """{cell id: the function that runs after that cell, as a syntax tree} for a notebook's path.

    Example:
        >>> functions("notebooks/99_not_written_yet.ipynb")
        {}
    """
    file = Path(folder) / f"{Path(notebook).name[:2]}.py"
    body = ast.parse(file.read_text(encoding="utf-8")).body if file.exists() else []
    found = [node for node in body if isinstance(node, ast.FunctionDef)]
    return {node.name.removeprefix("after_").replace("_", "-"): node for node in found}


def programs(notebook, folder=FOLDER):
    """{cell id: the program that a kernel runs after that cell} for a notebook's path."""
    return {
        cell: f"exec({ast.unparse(node) + chr(10) + node.name + '()'!r}, dict(globals()))"
        for cell, node in functions(notebook, folder).items()
    }
