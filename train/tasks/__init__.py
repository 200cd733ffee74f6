"""Tasks: from a name to a trained integer network, its test split, and a record of the training.

Each module of this package that calls :func:`register` adds a task; nothing lists them.  A task from outside does the
same, where it is imported before it is named, or by an entry point of the group ``lifline.tasks``.
"""

import importlib
import pkgutil

from .registry import TASKS, Task, describe, find, help_text, names, register
from .run import run_task
from .settings import TaskSettings

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "TASKS",
    "Task",
    "TaskSettings",
    "describe",
    "find",
    "help_text",
    "names",
    "register",
    "run_task",
]
