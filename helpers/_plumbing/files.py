"""Where the package's own data lie, and how a file is written: whole or not at all."""

import os
from contextlib import contextmanager
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


@contextmanager
def written_whole(path):
    """A path to write to. When the block ends well, the file takes the place of `path`.

    The name is this process's own, so that two processes may write the same file at once.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with written_whole(Path(folder) / "a.txt") as part:
        ...         _ = part.write_text("whole")
        ...     os.listdir(folder)
        ['a.txt']
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
