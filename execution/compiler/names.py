"""
Modules of a bundle: finds them, and resolves names, types, constants and signatures when they are first asked for.

A module of the bundle gives everything it defines; a program class of another module, or of a standard program, is a
typed interface only. Resolution is lazy, so definitions may stand in any order; what refers to itself is refused.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from execution.compiler import limits, standard, suggest
from execution.compiler import types as t
from execution.compiler.accept import accept, children
from execution.compiler.annotations import build_signature, build_type
from execution.compiler.errors import CompileError, Source
from execution.compiler.extent import check_extent
from execution.compiler.layout import storage_words
from execution.compiler.scope import (
    LANGUAGE,
    LANGUAGE_WORDS,
    PYTHON_WORDS,
    Constant,
    Entity,
    FunctionName,
    Interface,
    ProgramName,
    Signature,
    TypeName,
    Word,
)
from execution.compiler.tree import Literal

Definition = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign
BASES = ("Enum", "Struct", "Event", "Record", "Program")
MEMBERED = ("Struct", "Event", "Record")
UNDEFINED = "define or import it; a local is assigned before it is used"
FoldConstant = Callable[["Bundle", "Module", ast.expr, t.Type | None], Literal]


@dataclass(slots=True)
class Module:
    """One parsed file: definitions and imports by name, entities as far as they are resolved."""

    name: str
    source: Source
    tree: ast.Module
    definitions: dict[str, Definition] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    entities: dict[str, Entity] = field(default_factory=dict)
    resolving: set[str] = field(default_factory=set)

    def knows(self, name: str) -> bool:
        """Whether a name means something everywhere in the module."""
        return name in self.definitions or name in self.imports or name in PYTHON_WORDS or name in LANGUAGE_WORDS

    def known(self) -> frozenset[str]:
        """All such names."""
        return frozenset(self.definitions) | frozenset(self.imports) | PYTHON_WORDS | LANGUAGE_WORDS


def module_name(path: str) -> str:
    """ "a/b.py" → "a.b"; "a/__init__.py" → "a"."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@dataclass(slots=True)
class Bundle:
    """files by module name; modules and interfaces as far as they are loaded."""

    files: Mapping[str, Source]
    fold_constant: FoldConstant
    modules: dict[str, Module] = field(default_factory=dict)
    interfaces: dict[tuple[str, str], Interface] = field(default_factory=dict)
    signatures: dict[tuple[str, str], Signature] = field(default_factory=dict)

    def module(self, name: str) -> Module | None:
        """The module of that name: from the bundle, else a standard program's; None when there is none."""
        if name not in self.modules:
            source = self.files.get(name) or _standard_source(name)
            if source is None:
                return None
            self.modules[name] = _load(name, source, self.files)
        return self.modules[name]

    def find(self, module: Module, name: str, node: ast.AST) -> Entity:
        """
        What a name means in a module.

        Raises:
            CompileError: nothing, or something defined through itself.
        """
        if name not in module.entities:
            if name in module.resolving:
                raise _circle(module, name, node)
            self._resolve_needed(module, name)
            self._settle(module, name, node)
        return module.entities[name]

    def _settle(self, module: Module, name: str, node: ast.AST) -> None:
        module.resolving.add(name)
        module.entities[name] = self._resolve(module, name, node)
        module.resolving.discard(name)

    def _resolve_needed(self, module: Module, name: str) -> None:
        """Resolve first what the definition of a name is made of, from a stack of our own: chains may be long."""
        chain = [(module, name, self._needed(module, name))]
        around = {(module.name, name)}
        while chain:
            owner, wanted, needed = chain[-1]
            step = next(needed, None)
            if step is None:
                chain.pop()
                around.discard((owner.name, wanted))
                if chain:
                    self._settle(owner, wanted, owner.definitions[wanted])
            elif step[1] not in step[0].entities:
                target, mentioned, node = step
                if (target.name, mentioned) in around or mentioned in target.resolving:
                    raise _circle(owner, mentioned, node)
                around.add((target.name, mentioned))
                chain.append((target, mentioned, self._needed(target, mentioned)))

    def _needed(self, module: Module, name: str) -> Iterator[tuple[Module, str, ast.AST]]:
        """Definitions of the bundle that the definition of a name mentions: module, name, where it is mentioned."""
        definition = module.definitions.get(name)
        if definition is None:
            yield from self._defined(module, name, module.tree)
            return
        for mentioned in mentioned_names(definition):
            yield from self._defined(module, mentioned.id, mentioned)

    def _defined(self, module: Module, name: str, node: ast.AST) -> Iterator[tuple[Module, str, ast.AST]]:
        """Where a name that a module mentions is defined, directly or by an import; nothing when it is not."""
        if name in module.definitions:
            yield module, name, node
        elif name in module.imports and module.imports[name][0] not in (LANGUAGE, "typing"):
            origin, original = module.imports[name]
            other = self.module(origin)
            if other is not None and original in other.definitions:
                yield other, original, node

    def _resolve(self, module: Module, name: str, node: ast.AST) -> Entity:
        if name in module.definitions:
            return self._define(module, name, module.definitions[name])
        if name in module.imports:
            origin, original = module.imports[name]
            if origin in (LANGUAGE, "typing"):
                return Word(original)
            other = self.module(origin)
            assert other is not None
            if original not in other.definitions:
                instead = suggest.instead_of(original, other.definitions, "import it where it is defined")
                raise module.source.at(node, f"module `{origin}` defines no `{original}`", instead)
            return self.find(other, original, node)
        if name in PYTHON_WORDS:
            return Word(name)
        if name in LANGUAGE_WORDS:
            raise module.source.at(node, f"`{name}` is not imported", f"write `from execution.lang import {name}`")
        raise module.source.at(node, f"`{name}` is not defined", suggest.instead_of(name, module.known(), UNDEFINED))

    def _define(self, module: Module, name: str, definition: Definition) -> Entity:
        match definition:
            case ast.ClassDef():
                return self._define_class(module, definition)
            case ast.FunctionDef():
                return FunctionName(self.signature(module, definition, None))
            case ast.AnnAssign(annotation=annotation, value=value):
                if value is None:
                    raise module.source.at(definition, f"constant `{name}` has no value", "give it one")
                return Constant(self.fold_constant(self, module, value, self.type_of(module, annotation)))
            case ast.Assign(value=value):
                return Constant(self.fold_constant(self, module, value, None))

    def base_of(self, module: Module, node: ast.ClassDef) -> str:
        """One of BASES: what kind of class it is. A base that is a program class of the bundle makes it a program."""
        if node.decorator_list:
            raise module.source.at(
                node.decorator_list[0], "a class has no decorator", "remove it; Struct, Event and Record need none"
            )
        if len(node.bases) != 1 or not isinstance(node.bases[0], ast.Name) or node.keywords:
            raise module.source.at(
                node, "a class has exactly one base", f"one of {', '.join(BASES)}, or a program class"
            )
        name = node.bases[0].id
        if name not in module.definitions and module.imports.get(name, ("", ""))[0] in (LANGUAGE, ""):
            entity = self.find(module, name, node.bases[0])
            if isinstance(entity, Word) and entity.name in BASES:
                return entity.name
        elif isinstance(self.find(module, name, node.bases[0]), ProgramName):
            return "Program"
        raise module.source.at(
            node, f"`{name}` is not a base of the language", f"one of {', '.join(BASES)}, or a program class"
        )

    def _define_class(self, module: Module, node: ast.ClassDef) -> Entity:
        base = self.base_of(module, node)
        if base == "Program":
            return ProgramName(module.name, node.name)
        if base == "Enum":
            return TypeName(_enum(module, node))
        members = self.members(module, node, base == "Record")
        check_extent(module.source, node, t.RecordType(node.name, members))
        if sum(storage_words(of) for _, of in members) > limits.STRUCT_WORDS_MAX:
            raise module.source.at(node, f"`{node.name}` has more than {limits.STRUCT_WORDS_MAX} words", "split it")
        if not members and base != "Event":
            raise module.source.at(node, f"`{node.name}` has no members", "give it at least one")
        if base == "Record":
            return TypeName(t.RecordType(node.name, members))
        kind = t.StructType(node.name, members, base == "Event")
        if base == "Event" and t.words(kind) > limits.EVENT_WORDS_MAX:
            raise module.source.at(node, f"the event has more than {limits.EVENT_WORDS_MAX} words", "split it")
        return TypeName(kind)

    def members(self, module: Module, node: ast.ClassDef, storage: bool) -> tuple[tuple[str, t.Type], ...]:
        """The annotated members of a class body; methods are skipped. storage: containers may be members."""
        members: dict[str, t.Type] = {}
        for statement in body_of(node.body):
            if isinstance(statement, ast.FunctionDef) and storage:
                continue
            if (
                not isinstance(statement, ast.AnnAssign)
                or not isinstance(statement.target, ast.Name)
                or statement.value
            ):
                raise module.source.at(statement, "only `name: Type` stands here", "values are given when one is made")
            name, kind = statement.target.id, self.type_of(module, statement.annotation)
            flat = t.is_flat(kind) and not (isinstance(kind, t.StructType) and kind.event)
            if not flat and not (storage and isinstance(kind, t.CONTAINERS)):
                raise module.source.at(statement, f"a member of type {kind} is not possible here", "use a flat type")
            if name in members:
                raise module.source.at(statement, f"`{name}` is defined twice", "rename one")
            members[name] = kind
        if len(members) > limits.FIELDS_MAX:
            raise module.source.at(node, f"more than {limits.FIELDS_MAX} members", "group them in structs")
        return tuple(members.items())

    def interface(self, module_of: str, name: str) -> Interface:
        """Fields and methods of a program class, its bases' first."""
        key = (module_of, name)
        if key not in self.interfaces:
            module = self.modules[module_of]
            node = module.definitions[name]
            assert isinstance(node, ast.ClassDef)
            self._check_ancestors(module, node)
            self.interfaces[key] = self._interface(module, node)
        return self.interfaces[key]

    def _base(self, module: Module, node: ast.ClassDef) -> ProgramName | None:
        """The program class that another one extends."""
        base = self.find(module, node.bases[0].id, node) if isinstance(node.bases[0], ast.Name) else None
        return base if isinstance(base, ProgramName) else None

    def _check_ancestors(self, module: Module, node: ast.ClassDef) -> None:
        base, count = self._base(module, node), 0
        while base is not None:
            count += 1
            if count > limits.ANCESTORS_MAX:
                wrong = f"`{node.name}` has more than {limits.ANCESTORS_MAX} program classes above it"
                raise module.source.at(node, wrong, "merge some")
            owner = self.modules[base.module]
            definition = owner.definitions[base.name]
            assert isinstance(definition, ast.ClassDef)
            base = self._base(owner, definition)

    def _interface(self, module: Module, node: ast.ClassDef) -> Interface:
        fields: tuple[tuple[str, t.Type], ...] = ()
        methods: dict[str, Signature] = {}
        base = self._base(module, node)
        if base is not None:
            inherited = self.interface(base.module, base.name)
            fields, methods = inherited.fields, dict(inherited.methods)
        own = self.members(module, node, True)
        names = [name for name, _ in fields + own]
        for statement in body_of(node.body):
            if isinstance(statement, ast.FunctionDef):
                signature = self.signature(module, statement, node.name)
                names += [] if statement.name in methods else [statement.name]
                _check_override(module, methods.get(statement.name), signature)
                methods[statement.name] = signature
        for name, count in Counter(names).items():
            if count > 1:
                raise module.source.at(node, f"`{name}` is defined twice in `{node.name}`", "rename one")
        return Interface(node.name, module.name, fields + own, methods)

    def signature(self, module: Module, node: ast.FunctionDef, owner: str | None) -> Signature:
        """The typed head of a function, or of a method of `owner`."""
        from_cache = self.signatures.get((module.name, f"{owner}.{node.name}"))
        if from_cache is None:
            find, fold = partial(self.find, module), partial(self.fold_constant, self, module)
            from_cache = build_signature(find, fold, module.source, module.name, node, owner)
            self.signatures[module.name, f"{owner}.{node.name}"] = from_cache
        return from_cache

    def type_of(self, module: Module, node: ast.expr) -> t.Type:
        """The type an annotation means."""
        return build_type(partial(self.find, module), module.source, node)


def _standard_source(name: str) -> Source | None:
    text = standard.source_of(name)
    return None if text is None else Source(name.replace(".", "/") + ".py", text)


def body_of(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements without docstrings and `pass`."""
    return [
        s
        for s in body
        if not isinstance(s, ast.Pass) and not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
    ]


def _circle(module: Module, name: str, node: ast.AST) -> CompileError:
    return module.source.at(node, f"`{name}` is defined through itself", "break the circle")


def mentioned_names(definition: Definition) -> Iterator[ast.Name]:
    """Names that resolving a definition asks for: annotations, values and bases, not the bodies of functions."""
    parts: list[ast.AST | None] = []
    match definition:
        case ast.ClassDef(bases=bases, body=body):
            parts += bases
            if any(isinstance(base, ast.Name) and base.id in MEMBERED for base in bases):
                parts += [statement.annotation for statement in body if isinstance(statement, ast.AnnAssign)]
        case ast.FunctionDef(args=arguments, returns=returns):
            parts += [arguments, returns]
        case ast.AnnAssign(annotation=annotation, value=value):
            parts += [annotation, value]
        case ast.Assign(value=value):
            parts.append(value)
    for part in parts:
        for node in ast.walk(part) if part is not None else ():
            if isinstance(node, ast.Name):
                yield node


def called_names(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """What stands before the brackets of calls: a plain name, or an attribute of `self`; in order of the text."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name() | ast.Attribute(value=ast.Name(id="self")):
                    yield node.func
        waiting += reversed(children(node))


def _load(name: str, source: Source, files: Mapping[str, Source]) -> Module:
    module = Module(name, source, accept(source))
    for statement in module.tree.body:
        match statement:
            case ast.ImportFrom(module="__future__"):
                continue
            case ast.ImportFrom(module=str(origin), names=names):
                if origin in suggest.MODULES and origin not in files:
                    raise source.at(statement, f"there is no module `{origin}`", suggest.MODULES[origin])
                for alias in names:
                    _declare(module, statement, alias.name)
                    module.imports[alias.name] = (origin, alias.name)
            case ast.ClassDef(name=defined) | ast.FunctionDef(name=defined):
                _declare(module, statement, defined)
                module.definitions[defined] = statement
            case ast.Assign(targets=[ast.Name(id=defined)]) | ast.AnnAssign(target=ast.Name(id=defined)):
                assert isinstance(statement, (ast.Assign, ast.AnnAssign))
                _declare(module, statement, defined)
                module.definitions[defined] = statement
            case ast.Assign() | ast.AnnAssign():
                raise source.at(statement, "a constant has one plain name", "write `NAME = value`")
    return module


def _declare(module: Module, node: ast.stmt, name: str) -> None:
    if name in module.definitions or name in module.imports:
        raise module.source.at(node, f"`{name}` is defined twice", "rename one")
    language = isinstance(node, ast.ImportFrom) and node.module in (LANGUAGE, "typing")
    if not language and (name in LANGUAGE_WORDS or name in PYTHON_WORDS):
        raise module.source.at(node, f"`{name}` is a word of the language", "choose another name")


def check_imports(bundle: Bundle, module: Module) -> None:
    """Every import names something that exists."""
    for statement in module.tree.body:
        if not isinstance(statement, ast.ImportFrom) or statement.module == "__future__":
            continue
        origin = statement.module or ""
        known = LANGUAGE_WORDS if origin == LANGUAGE else frozenset({"Optional"}) if origin == "typing" else None
        if known is None and bundle.module(origin) is None:
            like = suggest.nearest(origin, [*bundle.files, *standard.modules()])
            instead = f"perhaps `{like}`" if like else "add it to the bundle's files"
            raise module.source.at(statement, f"there is no module `{origin}`", instead)
        for alias in statement.names:
            if known is not None and alias.name not in known:
                instead = suggest.instead_of(alias.name, known, "remove it")
                raise module.source.at(statement, f"`{origin}` has no `{alias.name}`", instead)
            if known is None:
                bundle.find(module, alias.name, statement)


def _check_override(module: Module, base: Signature | None, own: Signature) -> None:
    if base is None:
        return
    same = (base.kind, base.result, base.order, [p.type for p in base.parameters])
    if same != (own.kind, own.result, own.order, [p.type for p in own.parameters]):
        raise module.source.at(own.node, f"`{own.name}` differs from the method it replaces", "keep kind and types")


def _enum(module: Module, node: ast.ClassDef) -> t.EnumType:
    members: list[str] = []
    for statement in body_of(node.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int(value))) if value is not True:
                if len(members) == limits.ENUM_MEMBERS_MAX:
                    raise module.source.at(
                        statement, f"an enum has 1 to {limits.ENUM_MEMBERS_MAX} members", "remove some"
                    )
                if value != len(members) or name in members:
                    raise module.source.at(
                        statement, "members are numbered 0, 1, … in order", f"write `{name} = {len(members)}`"
                    )
                members.append(name)
            case _:
                raise module.source.at(statement, "only `NAME = number` stands in an enum", "remove it")
    if not members:
        raise module.source.at(node, f"an enum has 1 to {limits.ENUM_MEMBERS_MAX} members", "add some")
    return t.EnumType(node.name, tuple(members))
