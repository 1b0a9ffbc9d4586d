"""The names of a package that are loaded when they are first used.

A package says ``__getattr__ = lazy_names(__name__, {...})`` where a type checker does not look, and imports the same names
where only a type checker looks. So a program loads what it uses, and type checkers know every name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["lazy_names"]


def lazy_names(package: str, homes: Mapping[str, str], modules: str = "") -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package.

    Args:
        package: the package's full name.
        homes: names, separated by spaces, by the module of the package that defines them.
        modules: public modules of the package, separated by spaces, that may be used without an import. Default: none.
    """
    found = {name: home for home, names in homes.items() for name in names.split()}
    submodules = frozenset(modules.split())

    def load(name: str) -> object:
        if name in submodules:
            return import_module(f"{package}.{name}")
        home = found.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        value: object = getattr(import_module(f"{package}.{home}"), name)
        setattr(sys.modules[package], name, value)  # so that this function is not called again
        return value

    return load
