"""Where the package's own data lie, and how a file is written: whole or not at all."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

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


@contextmanager
def folder_written_whole(path):
    """A folder to fill. When the block ends well, it takes the place of `path`, else it goes.

    Raises:
        ValueError: `path` is no new or empty folder, or nothing can be written beside it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with folder_written_whole(Path(folder) / "new") as part:
        ...         _ = (part / "a.txt").write_text("whole")
        ...     os.listdir(folder), os.listdir(Path(folder) / "new")
        (['new'], ['a.txt'])
    """
    path = Path(path).absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path} is there already. Name a new folder.")
    part = writable_folder(path.with_name(f"{path.name}.{os.getpid()}.part"))
    try:
        yield part
        if path.exists():
            path.rmdir()  # empty, and in the way on some systems
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def writable_folder(path):
    """The folder as a Path, made where it is missing; ValueError if nothing can be written there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     writable_folder(Path(folder) / "new").is_dir()
        True
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{path} is not a folder. Name a folder, or a new one.") from None
    except OSError as error:
        why = error.strerror or error
        problem = f"Nothing can be written to {path} ({why}). Name another folder."
        raise ValueError(problem) from None


def written_somewhere(folder, write):
    """Call `write(folder)`; where that fails, write to a new folder instead, and say so.

    Raises ValueError that names the other folder: nothing of what took hours is lost.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written_somewhere(folder, lambda path: (path / "a.txt").write_text("kept"))
        ...     os.listdir(folder)
        ['a.txt']
    """
    try:
        write(Path(folder))
    except (OSError, SafetensorError) as error:
        elsewhere = Path(tempfile.mkdtemp(prefix="kept-"))
        write(elsewhere)
        problem = f"{folder} cannot be written to ({error})"
        raise ValueError(f"{problem}. What was to be written is in {elsewhere}.") from error
