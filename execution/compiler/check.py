"""
Second stage: from accepted files to a typed program.

Functions are checked when they are first called, so a callee's effects are known to its caller and recursion shows
itself; every method of the program and every function of its module is checked, whether called or not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from execution.compiler import limits, tree
from execution.compiler import types as t
from execution.compiler.check_bodies import check_body
from execution.compiler.check_expressions import check_expression
from execution.compiler.check_invariants import check_function, invariant_reasons
from execution.compiler.context import Context, Shared
from execution.compiler.errors import Source
from execution.compiler.fold import NotConstant, fold
from execution.compiler.layout import field_offsets, fields_end
from execution.compiler.names import Bundle, Module, body_of, called_names, check_imports, module_name
from execution.compiler.scope import Effects, FunctionName, Interface, Signature, TypeName
from execution.compiler.selector import selector

EMPTY = Interface("", "", (), {})


@dataclass(slots=True)
class _Check:
    """Functions of the program under check: finished ones, and those whose callers are being checked."""

    bundle: Bundle
    main: Module
    finished: dict[str, tuple[Effects, tree.Function]] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    shared: Shared | None = None

    def effects_of(self, signature: Signature, module: Module, node: ast.AST) -> Effects:
        """
        Effects of a function, which is checked first if it has not been; it is called at `node` of a module.

        Callees are checked before their callers, from a stack of our own: a long chain of calls needs no deep stack.
        """
        if signature.function in self.open:
            wrong = f"`{signature.name}` calls itself, directly or through others"
            raise module.source.at(node, wrong, "use a loop")
        if signature.function not in self.finished:
            self._finish(signature)
        return self.finished[signature.function][0]

    def _finish(self, first: Signature) -> None:
        """Check a function and, before it, every callee that has not been."""
        chain = [(first, self._callees(first))]
        self.open.add(first.function)
        while chain:
            signature, callees = chain[-1]
            callee = next(callees, None)
            if callee is None:
                chain.pop()
                self.finished[signature.function] = self._function(signature)
                self.open.discard(signature.function)
            elif callee.function not in self.open and callee.function not in self.finished:
                if len(chain) >= limits.CALL_CHAIN_MAX:
                    wrong = f"calls go more than {limits.CALL_CHAIN_MAX} functions deep here"
                    raise self._module(callee).source.at(callee.node, wrong, "call less deeply, or use a loop")
                self.open.add(callee.function)
                chain.append((callee, self._callees(callee)))

    def _module(self, signature: Signature) -> Module:
        return self.bundle.modules[signature.module]

    def _callees(self, signature: Signature) -> Iterator[Signature]:
        """Functions and own methods that a function calls by name, in order of the text."""
        assert self.shared is not None
        module = self._module(signature)
        for called in called_names(signature.node):
            match called:
                case ast.Name(id=name) if name in module.definitions or name in module.imports:
                    entity = self.bundle.find(module, name, called)
                    if isinstance(entity, FunctionName):
                        yield entity.signature
                case ast.Attribute(attr=name):
                    method = self.shared.program.methods.get(name) if signature.is_method else None
                    if method is not None:
                        yield method

    def _function(self, signature: Signature) -> tuple[Effects, tree.Function]:
        assert self.shared is not None
        module = self._module(signature)
        context = Context(self.shared, module, signature)
        for parameter, argument in zip(
            signature.parameters, signature.node.args.args[signature.is_method :], strict=True
        ):
            context.declare(parameter.name, parameter.type, argument)
            context.assigned(parameter.name)
        body = check_body(context, signature.node.body)
        if context.flow.reachable and signature.result != t.NONE:
            raise context.error(
                signature.node,
                f"`{signature.name}` may end without a result",
                f"return a value of type {signature.result}",
            )
        types = tuple(parameter.type for parameter in signature.parameters)
        made = tree.Function(
            signature.function,
            module.source,
            types,
            signature.result,
            tuple(context.slots),
            body,
            signature.node.lineno,
        )
        return context.effects, made


def check(files: Mapping[str, Source], main: str) -> tree.Program:
    """
    The typed program of the bundle's main file; files by path.

    Raises:
        CompileError: the first violation, located.
    """
    bundle = Bundle({module_name(path): source for path, source in files.items()}, fold_constant)
    module = bundle.module(module_name(main))
    assert module is not None
    check_imports(bundle, module)
    program = _program_of(bundle, module)
    state = _Check(bundle, module)
    offsets = field_offsets(program.fields)
    if fields_end(program.fields) > limits.FIELD_BYTES_MAX:
        raise module.source.at(
            module.definitions[program.name], "the fields take too much room", "put rare ones in a Map"
        )
    state.shared = Shared(bundle, program, offsets, state.effects_of, check_expression)
    _check_definitions(state, module, program)
    shared, state.shared = state.shared, None  # they know each other, and all of the program's trees
    methods = _methods(module, program, shared)
    if len(state.finished) > limits.FUNCTIONS_MAX:
        raise module.source.whole(f"more than {limits.FUNCTIONS_MAX} functions", "split the program")
    functions = tuple(function for _, function in state.finished.values())
    reasons = tuple(dict.fromkeys((*shared.reasons, *invariant_reasons(program))))
    made = tree.Program(program.name, functions, methods, program.fields, tuple(shared.events), reasons)
    checks = check_function(program, module.source)
    if checks is None:
        return made
    return replace(made, functions=(*functions, checks[0]), methods=(*methods, checks[1]), guarded=True)


def check_library(files: Mapping[str, Source], main: str) -> None:
    """Check a module that defines no program: everything it defines."""
    bundle = Bundle({module_name(path): source for path, source in files.items()}, fold_constant)
    module = bundle.module(module_name(main))
    assert module is not None
    check_imports(bundle, module)
    state = _Check(bundle, module)
    state.shared = Shared(bundle, EMPTY, {}, state.effects_of, check_expression)
    _check_definitions(state, module, EMPTY)


def _program_of(bundle: Bundle, module: Module) -> Interface:
    """The one program class of the main module."""
    programs = [
        node
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and bundle.base_of(module, node) == "Program"
    ]
    if not programs:
        raise module.source.whole("the file defines no program", "write `class Name(Program):`")
    if len(programs) > 1:
        raise module.source.at(programs[1], "a module has one program", "move it to a module of its own")
    return bundle.interface(module.name, programs[0].name)


def _check_definitions(state: _Check, module: Module, program: Interface) -> None:
    """Resolve and check whatever the module defines, in order of the text, then what the program inherits."""
    shared = state.shared
    assert shared is not None
    signatures: list[Signature] = []
    for name, node in module.definitions.items():
        entity = state.bundle.find(module, name, node)
        if isinstance(entity, TypeName) and isinstance(entity.type, t.StructType) and entity.type.event:
            shared.events.append(entity.type)
        if isinstance(node, ast.ClassDef) and name != program.name:
            _check_no_methods(module, node)
        if isinstance(entity, FunctionName):
            signatures.append(entity.signature)
    for signature in [*signatures, *program.methods.values()]:
        state.effects_of(signature, module, signature.node)


def _check_no_methods(module: Module, node: ast.ClassDef) -> None:
    for statement in body_of(node.body):
        if isinstance(statement, ast.FunctionDef):
            raise module.source.at(statement, "only a program has methods", "write a function of the module")


def _methods(module: Module, program: Interface, shared: Shared) -> tuple[tree.Method, ...]:
    """Entries in order of the text: external, view, hook, create, and handlers of at_end."""
    methods: list[tree.Method] = []
    numbers: dict[int, str] = {}
    for name, signature in program.methods.items():
        if signature.kind == "invariant" or (signature.kind == "internal" and name not in shared.handlers):
            continue
        parameters = tuple((p.name, p.type) for p in signature.parameters)
        number = selector(name, [of for _, of in parameters])
        if number in numbers:
            raise module.source.whole(f"`{name}` and `{numbers[number]}` have the same selector", "rename one")
        numbers[number] = name
        kind = signature.kind if signature.kind in ("external", "view", "migrate") else "hook"
        order = signature.order if kind in ("external", "view") else "cancel"  # the kernel reaches hooks in every class
        if kind == "migrate" and any(one.kind == "migrate" for one in methods):
            raise module.source.at(signature.node, "a program migrates once", "one @migrate method does it all")
        methods.append(
            tree.Method(name, signature.function, parameters, signature.result, kind, order, signature.node.lineno)
        )
    return tuple(methods)


def _no_effects(signature: Signature, module: Module, node: ast.AST) -> Effects:
    """A constant calls no function of the bundle: Python would run it at import."""
    raise module.source.at(node, f"a constant does not call `{signature.name}`", "use literals and constants only")


def fold_constant(bundle: Bundle, module: Module, node: ast.expr, of: t.Type | None) -> tree.Literal:
    """The value of a module constant or a default."""
    shared = Shared(bundle, EMPTY, {}, _no_effects, check_expression)
    context = Context(shared, module, None)
    value = context.check(node, of)
    if not t.is_flat(value.type):
        raise context.error(node, f"a {value.type} is not a constant", "use a flat value")
    try:
        return tree.Literal(value.type, fold(value))
    except NotConstant as reason:
        raise context.error(node, str(reason), "use literals and constants only") from None
