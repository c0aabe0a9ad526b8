"""
Loading programs with the language's arithmetic: an explicit rewriting of their syntax trees, never done by an import
alone.

Two ways in: a `Bundle` loads a set of modules in a namespace of its own (sources in memory, or modules that can be
found); `install` makes Python's own import rewrite the named packages from then on (what tests call in their
`conftest.py`). Lines and columns stay those of the source, so tracebacks, pdb and coverage show the
program as written.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import linecache
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.abc import InspectLoader, Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from execution.lang.rewriting import MARK, RUNTIME, rewrite

OUTSIDE = ("execution.lang", "typing", "__future__")


def instrumented(cls: type) -> bool:
    """Whether the class comes from a module that was loaded here."""
    for function in vars(cls).values():
        namespace = getattr(function, "__globals__", None)
        if namespace is not None and namespace.get("__name__") == cls.__module__:
            return bool(namespace.get(MARK))
    return True


class Bundle:
    """
    Modules that see each other, `execution.lang` and typing, and nothing else.

    sources: module name → text. A name that is not there is looked up among the modules that `packages` allows.
    files: module name → path of the text on disk, which tracebacks and debuggers then show.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        packages: Sequence[str] = ("execution.programs", "execution.library"),
        files: Mapping[str, str] | None = None,
    ) -> None:
        self._sources = dict(sources)
        self._packages = tuple(packages)
        self._files = dict(files or {})
        self._modules: dict[str, ModuleType] = {}

    def modules(self) -> tuple[ModuleType, ...]:
        """What has been loaded so far."""
        return tuple(self._modules.values())

    def load(self, name: str) -> ModuleType:
        """The instrumented module; ImportError when it is not part of the bundle."""
        if name not in self._modules:
            self._modules[name] = self._execute(name, self._source(name))
        return self._modules[name]

    def _source(self, name: str) -> str:
        if name in self._sources:
            return self._sources[name]
        loader = None
        if any(name == package or name.startswith(package + ".") for package in self._packages):
            spec = importlib.util.find_spec(name)
            loader = spec.loader if spec else None
        source = loader.get_source(name) if isinstance(loader, InspectLoader) else None
        if source is None:
            raise ImportError(f"{name} is not part of the bundle")
        return source

    def _execute(self, name: str, source: str) -> ModuleType:
        file = self._files.get(name, f"<bundle {name}>")
        module = ModuleType(name)
        if name not in self._files:
            linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        vars(module).update(RUNTIME, __file__=file, __builtins__={**vars(builtins), "__import__": self._import})
        exec(compile_rewritten(source, file), vars(module))
        return module

    def _import(
        self, name: str, globals_: Any = None, locals_: Any = None, names: Any = (), level: int = 0
    ) -> ModuleType:
        if level == 0 and any(name == outside or name.startswith(outside + ".") for outside in OUTSIDE):
            return importlib.import_module(name) if names else __import__(name)
        if level or not names:
            raise ImportError(f"write `from {name or 'module'} import …` with the module's full name")
        return self.load(name)


@lru_cache(maxsize=64)
def compile_rewritten(source: str, file: str) -> CodeType:
    """Code of a module with the language's arithmetic; SyntaxError as from Python. Kept: bundles share modules."""
    return compile(rewrite(ast.parse(source, file)), file, "exec", dont_inherit=True)


class _RewritingLoader(SourceFileLoader):
    """Reads the source always: cached bytecode would be Python's own arithmetic."""

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_source(fullname)
        assert source is not None
        return compile_rewritten(source, self.path)

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(RUNTIME)
        super().exec_module(module)


class _Finder(MetaPathFinder):
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self.prefix and not name.startswith(self.prefix + "."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            loader: Loader = _RewritingLoader(spec.loader.name, spec.loader.path)
            spec.loader = loader
        return spec


def install(*prefixes: str) -> None:
    """
    Instrument these packages or modules whenever they are imported from now on. RuntimeError when one already was.
    """
    known = {finder.prefix for finder in sys.meta_path if isinstance(finder, _Finder)}
    for prefix in prefixes:
        if prefix in known:
            continue
        early = [
            name for name, module in sys.modules.items() if name.startswith(prefix + ".") and not vars(module).get(MARK)
        ]
        if early:
            raise RuntimeError(f"{', '.join(early)} imported before they could be instrumented; call install first")
        sys.meta_path.insert(0, _Finder(prefix))
