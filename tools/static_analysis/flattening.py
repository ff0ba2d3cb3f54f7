"""Rewrites an annotated Vyper 0.4 contract, with every module it reaches, as one syntax tree in the form of Vyper 0.3.7.

Slither's own front end knows neither modules, nor `extcall`, nor struct literals with keywords. Each node keeps the place in
the file it came from, so findings point at the real sources. What the old form cannot say is said with a call that has the
same data flow (a conditional expression becomes a call that takes its three parts); nothing is left out silently:
an unknown node raises ``UnknownSyntax``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vyper import ast as vy_ast
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.phases import CompilerData
from vyper.compiler.settings import Settings
from vyper.semantics.types import InterfaceT
from vyper.semantics.types.function import ContractFunctionT

# Calls that stand for syntax which the old form lacks.
CHOOSE: Final = "choose"  # a if c else b
CONTAINS: Final = "contains"  # a in b
INVERT: Final = "invert"  # ~a
RAW_STATIC_CALL: Final = "raw_static_call"  # cannot come back to change anything
EXTRA_BUILTINS: Final = {
    CHOOSE: [],
    CONTAINS: ["bool"],
    INVERT: ["uint256"],
    RAW_STATIC_CALL: ["bool", "bytes32"],
    "abi_decode": [],
    "abi_encode": ["bytes"],
    "extract32": ["bytes32"],
    "raw_revert": [],
    "raw_log": [],
    "raw_create": ["address"],
    "create_copy_of": ["address"],
    "floor": ["uint256"],
    "ceil": ["uint256"],
    "sqrt": ["uint256"],
    "uint256_addmod": ["uint256"],
    "uint256_mulmod": ["uint256"],
    "bitwise_xor": ["uint256"],
    "blockhash": ["bytes32"],
    "len": ["uint256"],
    "print": [],
}
TYPE_ARGUMENT: Final = {
    "empty": 0,
    "min_value": 0,
    "max_value": 0,
    "epsilon": 0,
    "convert": 1,
}
# Calls whose last argument is a type that Slither would look up as a variable, and which says nothing to it.
WITHOUT_TYPE: Final = {"abi_decode"}
# Slither reads "Shr" as << and "Shl" as >>, and has no names for // and ^.
OPERATORS: Final = {"FloorDiv": "Div", "LShift": "Shr", "RShift": "Shl"}
NOWHERE: Final = "-1:-1:-1"
FILE_ID_OFFSET: Final = 1_000  # keeps the numbers of files apart from Slither's own

Raw = dict[str, Any]


class UnknownSyntax(ValueError):
    """A node that has no translation yet: extend this module."""


@dataclass(frozen=True)
class FlatContract:
    """One contract as Slither's old form, and which files it came from."""

    tree: Raw
    sources: dict[int, Path]
    reachable: frozenset[tuple[str, int]]  # file and line of every function that is part of the contract
    internal: dict[tuple[str, int], str]  # the same for every internal function that its modules define


@dataclass
class _Scope:
    """The names of one file."""

    module: vy_ast.Module
    name: str
    imports: dict[str, Any] = field(default_factory=dict)  # alias -> tree of the imported file


def load(path: Path, root: Path, search_paths: list[Path], evm_version: str) -> vy_ast.Module:
    """The annotated tree of a contract and, behind its imports, of everything it uses."""
    bundle = FilesystemInputBundle([*search_paths, root])
    data = CompilerData(bundle.load_file(path), bundle, settings=Settings(evm_version=evm_version))
    return data.annotated_vyper_module


def flatten(module: vy_ast.Module) -> FlatContract:
    """The contract as one tree."""
    return _Flattener(module).run()


class _Flattener:
    def __init__(self, main: vy_ast.Module) -> None:
        self._main = main
        self._scopes: dict[int, _Scope] = {}  # by identity of the tree
        self._next_id = 1
        self._names: dict[int, str] = {}  # flat name by identity of the declaration
        self._texts: dict[int, str] = {}
        self._lacks_ascii: dict[int, bool] = {}
        self._scope: _Scope
        self._collect(main)
        self._scope = self._scopes[id(main)]

    # ------------------------------------------------------------------ names
    def _collect(self, module: vy_ast.Module) -> None:
        if id(module) in self._scopes:
            return
        scope = _Scope(module, Path(str(module.path)).stem)
        self._scopes[id(module)] = scope
        text = module.full_source_code
        self._texts[module.source_id] = text
        self._lacks_ascii[module.source_id] = text.isascii()
        for node in module.body:
            if isinstance(node, vy_ast.Import | vy_ast.ImportFrom):
                info = node._metadata["import_info"]
                if isinstance(info.parsed, vy_ast.Module):
                    scope.imports[info.alias] = info.parsed
                    self._collect(info.parsed)

    def _declarations(self) -> Iterator[tuple[_Scope, vy_ast.VyperNode, str]]:
        for scope in self._scopes.values():
            for node in scope.module.body:
                if isinstance(node, vy_ast.VariableDecl):
                    yield scope, node, node.target.id
                elif isinstance(
                    node, vy_ast.StructDef | vy_ast.FlagDef | vy_ast.EventDef | vy_ast.InterfaceDef
                ) or (isinstance(node, vy_ast.FunctionDef) and not self._is_interface(scope)):
                    yield scope, node, node.name

    @staticmethod
    def _is_interface(scope: _Scope) -> bool:
        return bool(scope.module.is_interface)

    def _name_all(self) -> None:
        taken: dict[str, int] = {}
        # The contract's own names first, so that they stay as they are written.
        for scope, node, name in self._declarations():
            if isinstance(node, vy_ast.FunctionDef) and name == "__init__" and scope.module is not self._main:
                name = f"{scope.name}___init__"
            if name in taken:
                name = f"{scope.name}_{name}"
            while name in taken:
                name += "_"
            taken[name] = id(node)
            self._names[id(node)] = name

    def _find(self, scope: _Scope, name: str) -> vy_ast.VyperNode | None:
        for node in scope.module.body:
            found = node.target.id if isinstance(node, vy_ast.VariableDecl) else getattr(node, "name", None)
            if found == name and id(node) in self._names:
                return node
        return None

    def _flat_name(self, scope: _Scope, name: str) -> str | None:
        node = self._find(scope, name)
        return None if node is None else self._names[id(node)]

    # ------------------------------------------------------------------ the whole
    def run(self) -> FlatContract:
        self._name_all()
        reachable = self._reachable()
        body: list[Raw] = []
        internal: dict[tuple[str, int], str] = {}
        for scope in self._scopes.values():
            self._scope = scope
            if self._is_interface(scope):
                body.append(self._interface(scope))
            for node in scope.module.body:
                if isinstance(node, vy_ast.StructDef | vy_ast.EventDef | vy_ast.FlagDef):
                    body.append(self._definition(node))
                elif isinstance(node, vy_ast.InterfaceDef):
                    body.append(self._inline_interface(node))
                elif isinstance(node, vy_ast.VariableDecl):
                    body.append(self._variable(node))
                elif isinstance(node, vy_ast.FunctionDef) and not self._is_interface(scope):
                    function_type = node._metadata["func_type"]
                    if getattr(function_type, "is_getter", False) or node.src is None:
                        continue
                    if function_type.is_internal:
                        internal[(str(scope.module.resolved_path), node.lineno)] = node.name
                    if id(node) in reachable:
                        body.append(self._function(node, function_type))
        return FlatContract(
            tree={
                "ast_type": "Module",
                "name": str(self._main.path),
                "body": body,
                "doc_string": None,
                "src": f"0:{len(self._main.full_source_code)}:{self._file_id(self._main)}",
                "node_id": self._new_id(),
            },
            sources={
                self._file_id(scope.module): Path(str(scope.module.resolved_path))
                for scope in self._scopes.values()
                if scope.module.source_id >= 0
            },
            reachable=frozenset(reachable.values()),
            internal=internal,
        )

    def _reachable(self) -> dict[int, tuple[str, int]]:
        """Every function that is compiled into the contract."""
        module_type = self._main._metadata["type"]
        roots: list[ContractFunctionT] = list(module_type.exposed_functions)
        if module_type.init_function is not None:
            roots.append(module_type.init_function)
        found: dict[int, tuple[str, int]] = {}
        for root in roots:
            for function in [root, *root.reachable_internal_functions]:
                node = function.decl_node
                if isinstance(node, vy_ast.FunctionDef) and node.src is not None:
                    found[id(node)] = (str(node.module_node.resolved_path), node.lineno)
        # A module's constructor is called, not listed as reachable, in some versions.
        for scope in self._scopes.values():
            for node in scope.module.body:
                if isinstance(node, vy_ast.FunctionDef) and node.name == "__init__":
                    found.setdefault(id(node), (str(scope.module.resolved_path), node.lineno))
        return found

    @staticmethod
    def _file_id(module: vy_ast.Module) -> int:
        return int(module.source_id) + FILE_ID_OFFSET

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _make(self, kind: str, place: vy_ast.VyperNode | None, **values: Any) -> Raw:
        return {"ast_type": kind, "src": self._src(place), "node_id": self._new_id(), **values}

    def _src(self, node: vy_ast.VyperNode | None) -> str:
        if node is None or getattr(node, "src", None) is None:
            return NOWHERE
        offset, length, source_id = (int(part) for part in node.src.split(":"))
        if source_id < 0:  # an interface that is built into the compiler
            return NOWHERE
        text = self._texts.get(source_id, "")
        if not self._lacks_ascii.get(source_id, True):  # Slither counts bytes, the compiler characters
            length = len(text[offset : offset + length].encode())
            offset = len(text[:offset].encode())
        return f"{offset}:{length}:{source_id + FILE_ID_OFFSET}"

    # ------------------------------------------------------------------ definitions
    def _definition(self, node: Any) -> Raw:
        name = self._names[id(node)]
        if isinstance(node, vy_ast.FlagDef):
            members = [
                self._make("Expr", member, value=self._make("Name", member, id=member.value.id))
                for member in node.body
            ]
            return self._make("EnumDef", node, name=name, body=members)
        body = [
            self._make("Pass", field_node)
            if isinstance(field_node, vy_ast.Pass)
            else self._make(
                "AnnAssign",
                field_node,
                target=self._make("Name", field_node, id=field_node.target.id),
                annotation=self._type(field_node.annotation),
                value=None,
            )
            for field_node in node.body
            if not isinstance(field_node, vy_ast.DocStr)
        ]
        if isinstance(node, vy_ast.EventDef):
            # Slither 0.11.6 hands an event's place over as two bare words; it has no use for either.
            return self._make("EventDef", node, name=name, body=body)
        return self._make("StructDef", node, name=name, body=body, doc_string=None)

    def _variable(self, node: Any) -> Raw:
        return self._make(
            "VariableDecl",
            node,
            target=self._make("Name", node.target, id=self._names[id(node)]),
            annotation=self._type(node.annotation),
            value=None if node.value is None else self._expression(node.value),
            is_constant=bool(node.is_constant),
            is_immutable=bool(node.is_immutable),
            is_public=bool(node.is_public),
        )

    def _interface(self, scope: _Scope) -> Raw:
        functions = [node for node in scope.module.body if isinstance(node, vy_ast.FunctionDef)]
        return self._make(
            "InterfaceDef", None, name=scope.name, body=[self._declared(node) for node in functions]
        )

    def _inline_interface(self, node: Any) -> Raw:
        body = [self._declared(function) for function in node.body]
        return self._make("InterfaceDef", node, name=self._names[id(node)], body=body)

    def _declared(self, node: Any) -> Raw:
        names = {decorator.id for decorator in node.decorator_list if isinstance(decorator, vy_ast.Name)}
        # An inline interface says its mutability in the body.
        names |= {
            statement.value.id
            for statement in node.body
            if isinstance(statement, vy_ast.Expr) and isinstance(statement.value, vy_ast.Name)
        }
        mutability = sorted(names & {"view", "pure", "payable", "nonpayable"})
        return self._make(
            "FunctionDef",
            None,
            name=node.name,
            args=self._arguments(node.args),
            returns=None if node.returns is None else self._type(node.returns),
            body=[self._make("Pass", None)],
            decorator_list=[self._make("Name", None, id=name) for name in ["external", *mutability]],
            pos=None,
            doc_string=None,
        )

    def _function(self, node: Any, function_type: ContractFunctionT) -> Raw:
        is_main = self._scope.module is self._main
        is_constructor = node.name == "__init__"
        decorators = ["internal" if function_type.is_internal else "external"]
        if is_constructor:
            decorators = ["external" if is_main else "internal"]
        mutability = function_type.mutability.value
        if mutability != "nonpayable" and (is_main or not is_constructor):
            decorators.append(mutability)
        decorator_list = [self._make("Name", None, id=name) for name in decorators]
        if function_type.nonreentrant and not is_constructor:
            decorator_list.append(
                self._make(
                    "Call",
                    None,
                    func=self._make("Name", None, id="nonreentrant"),
                    args=[self._make("Str", None, value="lock")],
                    keyword=None,
                    keywords=[],
                )
            )
        body = self._block(node.body)
        return self._make(
            "FunctionDef",
            node,
            name=self._names[id(node)],
            args=self._arguments(node.args),
            returns=None if node.returns is None else self._type(node.returns),
            body=body,
            decorator_list=decorator_list,
            pos=None,
            doc_string=None,
        )

    def _arguments(self, node: Any) -> Raw:
        return self._make(
            "arguments",
            None,
            args=[
                self._make("arg", argument, arg=argument.arg, annotation=self._type(argument.annotation))
                for argument in node.args
            ],
            default=None,
            defaults=[self._expression(default) for default in node.defaults],
        )

    # ------------------------------------------------------------------ types
    def _type(self, node: Any) -> Raw:
        if isinstance(node, vy_ast.Name):
            return self._make("Name", node, id=self._flat_name(self._scope, node.id) or node.id)
        if isinstance(node, vy_ast.Attribute):
            scope = self._imported(node.value)
            if scope is None:
                raise UnknownSyntax(f"type {node.node_source_code}")
            if node.attr == "__interface__":
                return self._make("Name", node, id=scope.name)
            return self._make("Name", node, id=self._flat_name(scope, node.attr) or node.attr)
        if isinstance(node, vy_ast.Subscript):
            if isinstance(node.value, vy_ast.Name) and node.value.id in ("Bytes", "String"):
                return self._make("Name", node, id=node.value.id)
            if isinstance(node.slice, vy_ast.Tuple):
                first, second = node.slice.elements
                inner = (
                    self._type(second)
                    if getattr(node.value, "id", "") == "HashMap"
                    else self._expression(second)
                )
                index = self._make("Tuple", node.slice, elements=[self._type(first), inner])
            else:
                index = self._expression(node.slice)
            return self._make(
                "Subscript", node, value=self._type(node.value), slice=self._make("Index", node, value=index)
            )
        if isinstance(node, vy_ast.Tuple):
            return self._make("Tuple", node, elements=[self._type(element) for element in node.elements])
        if isinstance(node, vy_ast.Call):  # indexed(T)
            return self._make(
                "Call",
                node,
                func=self._make("Name", node, id=node.func.id),
                args=[self._type(node.args[0])],
                keyword=None,
                keywords=[],
            )
        raise UnknownSyntax(f"type {type(node).__name__}: {node.node_source_code}")

    def _imported(self, node: Any) -> _Scope | None:
        """The file behind `alias` or `alias.alias`."""
        if isinstance(node, vy_ast.Name):
            module = self._scope.imports.get(node.id)
        elif isinstance(node, vy_ast.Attribute):
            outer = self._imported(node.value)
            module = None if outer is None else outer.imports.get(node.attr)
        else:
            return None
        return None if module is None else self._scopes[id(module)]

    # ------------------------------------------------------------------ statements
    def _statement(self, node: Any) -> list[Raw]:
        match node:
            case vy_ast.DocStr():
                return []
            case vy_ast.AnnAssign():
                return [self._declare(node.target, node.annotation, self._expression(node.value), node)]
            case vy_ast.Assign():
                return [self._assign("Assign", node)]
            case vy_ast.AugAssign() if isinstance(node.op, vy_ast.BitXor):
                parts = self._all([node.target, node.value])
                changed = self._builtin("bitwise_xor", node, parts)
                return [self._make("Assign", node, target=parts[0], value=changed)]
            case vy_ast.AugAssign():
                return [self._assign("AugAssign", node, op=self._operator(node.op))]
            case vy_ast.Expr():
                return [self._make("Expr", node, value=self._expression(node.value))]
            case vy_ast.Log():
                return [self._make("Log", node, value=self._expression(node.value))]
            case vy_ast.Return():
                value = None if node.value is None else self._expression(node.value)
                return [self._make("Return", node, value=value)]
            case vy_ast.Assert():
                message = None if node.msg is None else self._expression(node.msg)
                return [self._make("Assert", node, test=self._expression(node.test), msg=message)]
            case vy_ast.Raise():
                cause = None if node.exc is None else self._expression(node.exc)
                return [self._make("Raise", node, exc=cause)]
            case vy_ast.If():
                return [
                    self._make(
                        "If",
                        node,
                        test=self._expression(node.test),
                        body=self._block(node.body),
                        orelse=self._block(node.orelse),
                    )
                ]
            case vy_ast.For():
                return [self._loop(node)]
            case vy_ast.Pass() | vy_ast.Break() | vy_ast.Continue():
                return [self._make(type(node).__name__, node)]
        raise UnknownSyntax(f"statement {type(node).__name__}: {node.node_source_code}")

    def _block(self, nodes: list[Any]) -> list[Raw]:
        """Slither goes on behind a branch that has returned: what comes after it goes into the other branch."""
        raws: list[Raw] = []
        for place, node in enumerate(nodes):
            raws += self._statement(node)
            if isinstance(node, vy_ast.If) and isinstance(node.body[-1], vy_ast.Return | vy_ast.Raise):
                raws[-1]["orelse"] += self._block(nodes[place + 1 :])
                break
        return raws

    def _assign(self, kind: str, node: Any, **values: Any) -> Raw:
        target, value = self._expression(node.target), self._expression(node.value)
        return self._make(kind, node, target=target, value=value, **values)

    def _declare(self, target: Any, annotation: Any, value: Raw, place: Any) -> Raw:
        name = self._make("Name", target, id=target.id)
        return self._make("AnnAssign", place, target=name, annotation=self._type(annotation), value=value)

    def _loop(self, node: Any) -> Raw:
        """Slither counts from 0 in every loop and names what it counts with; a loop over a list becomes one over its places."""
        declared, body = node.target, self._block(node.body)
        name = declared.target.id
        if isinstance(node.iter, vy_ast.Call) and getattr(node.iter.func, "id", "") == "range":
            end = self._expression(node.iter.args[-1])
            target = self._make("Name", declared.target, id=name)
        else:
            place = f"{name}_place"
            target = self._make("Name", declared.target, id=place)
            items = self._expression(node.iter)
            end = self._builtin("len", node.iter, [items])
            index = self._make("Index", node.iter, value=self._make("Name", None, id=place))
            item = self._make("Subscript", node.iter, value=self._expression(node.iter), slice=index)
            body.insert(0, self._declare(declared.target, declared.annotation, item, declared))
        return self._make(
            "For", node, target=target, iter=self._builtin("range", node.iter, [end]), body=body
        )

    # ------------------------------------------------------------------ expressions
    @staticmethod
    def _operator(node: Any) -> Raw:
        kind = type(node).__name__
        return {"ast_type": OPERATORS.get(kind, kind)}

    def _builtin(self, name: str, place: Any, arguments: list[Raw]) -> Raw:
        function = self._make("Name", place, id=name)
        return self._make("Call", place, func=function, args=arguments, keyword=None, keywords=[])

    def _expression(self, node: Any) -> Raw:
        match node:
            case vy_ast.Int() | vy_ast.Hex() | vy_ast.Str() | vy_ast.NameConstant():
                return self._make(type(node).__name__, node, value=node.value)
            case vy_ast.Bytes() | vy_ast.HexBytes():
                return self._make("Bytes", node, value=str(node.value))
            case vy_ast.Name():
                found = self._find(self._scope, node.id)
                is_file_level = found is not None and not self._belongs_to_self(found)
                return self._make("Name", node, id=self._names[id(found)] if is_file_level else node.id)
            case vy_ast.Attribute():
                return self._attribute(node)
            case vy_ast.ExtCall() | vy_ast.StaticCall():
                return self._external_call(node.value)
            case vy_ast.Call():
                return self._call(node)
            case vy_ast.Subscript():
                index = self._make("Index", node, value=self._expression(node.slice))
                return self._make("Subscript", node, value=self._expression(node.value), slice=index)
            case vy_ast.BinOp() if isinstance(node.op, vy_ast.BitXor):
                return self._builtin("bitwise_xor", node, self._all([node.left, node.right]))
            case vy_ast.BinOp():
                left, right = self._all([node.left, node.right])
                return self._make("BinOp", node, left=left, right=right, op=self._operator(node.op))
            case vy_ast.Compare() if isinstance(node.op, vy_ast.In | vy_ast.NotIn):
                return self._builtin(CONTAINS, node, self._all([node.left, node.right]))
            case vy_ast.Compare():
                left, right = self._all([node.left, node.right])
                return self._make("Compare", node, left=left, right=right, op=self._operator(node.op))
            case vy_ast.UnaryOp() if isinstance(node.op, vy_ast.Invert):
                return self._builtin(INVERT, node, self._all([node.operand]))
            case vy_ast.UnaryOp():
                return self._make(
                    "UnaryOp", node, op=self._operator(node.op), operand=self._expression(node.operand)
                )
            case vy_ast.BoolOp():  # Slither reads the first two parts only
                parts = self._all(list(node.values))
                whole = parts[0]
                for part in parts[1:]:  # from the left, as they are evaluated
                    whole = self._make("BoolOp", node, op=self._operator(node.op), values=[whole, part])
                return whole
            case vy_ast.IfExp():
                return self._builtin(CHOOSE, node, self._all([node.test, node.body, node.orelse]))
            case vy_ast.Tuple() | vy_ast.List():
                return self._make(type(node).__name__, node, elements=self._all(list(node.elements)))
        raise UnknownSyntax(f"expression {type(node).__name__}: {node.node_source_code}")

    def _all(self, nodes: list[Any]) -> list[Raw]:
        return [self._expression(node) for node in nodes]

    def _attribute(self, node: Any) -> Raw:
        scope = self._imported(node.value)
        if scope is not None:
            if node.attr == "__interface__":
                return self._make("Name", node, id=scope.name)
            found = self._find(scope, node.attr)
            if found is None:
                raise UnknownSyntax(f"{node.node_source_code} is not declared in {scope.name}")
            return self._member(node, found)
        if isinstance(node.value, vy_ast.Name) and node.value.id == "self":
            found = self._find(self._scope, node.attr)
            if found is not None:
                return self._member(node, found)
        return self._make("Attribute", node, value=self._expression(node.value), attr=node.attr)

    @staticmethod
    def _belongs_to_self(declaration: Any) -> bool:
        """State and functions are never named without `self` or their module: a bare name like theirs is a local's."""
        is_state = isinstance(declaration, vy_ast.VariableDecl) and not (
            declaration.is_constant or declaration.is_immutable
        )
        return is_state or isinstance(declaration, vy_ast.FunctionDef)

    def _member(self, place: Any, declaration: Any) -> Raw:
        """What another module declares: state and functions belong to the contract, all else to the file."""
        name = self._names[id(declaration)]
        if self._belongs_to_self(declaration):
            return self._make("Attribute", place, value=self._make("Name", place, id="self"), attr=name)
        return self._make("Name", place, id=name)

    def _external_call(self, node: Any) -> Raw:
        """Slither finds what an interface's function returns only where the interface is named at the call."""
        raw = self._call(node)
        receiver = getattr(node.func, "value", None)
        kind = None if receiver is None else receiver._metadata.get("type")
        is_named = isinstance(receiver, vy_ast.Call)
        if isinstance(kind, InterfaceT) and raw["func"]["ast_type"] == "Attribute" and not is_named:
            raw["func"]["value"] = self._builtin(self._interface_name(kind), receiver, [raw["func"]["value"]])
        return raw

    def _interface_name(self, kind: InterfaceT) -> str:
        declaration = kind.decl_node
        if isinstance(declaration, vy_ast.InterfaceDef):
            return self._names[id(declaration)]
        return Path(str(kind._id)).stem

    def _call(self, node: Any) -> Raw:
        function = node.func
        name = function.id if isinstance(function, vy_ast.Name) else None
        is_at = isinstance(function, vy_ast.Attribute) and function.attr == "__at__"
        called = self._expression(function.value if is_at else function)
        if name == "raw_call" and any(
            keyword.arg == "is_static_call" and getattr(keyword.value, "value", False)
            for keyword in node.keywords
        ):
            called = self._make("Name", function, id=RAW_STATIC_CALL)
        keywords = [
            self._make("keyword", keyword, arg=keyword.arg, value=self._expression(keyword.value))
            for keyword in node.keywords
        ]
        is_literal = bool(node.keywords) and not node.args and self._is_record(function)
        if is_literal:
            if self._is_event(function):
                arguments, keywords = [keyword["value"] for keyword in keywords], []
            else:
                names = [self._make("Name", keyword, id=keyword.arg) for keyword in node.keywords]
                values = [keyword["value"] for keyword in keywords]
                arguments, keywords = [self._make("Dict", node, keys=names, values=values)], []
        else:
            place = TYPE_ARGUMENT.get(name or "")
            arguments = [
                self._type(argument) if index == place else self._expression(argument)
                for index, argument in enumerate(node.args[:1] if name in WITHOUT_TYPE else node.args)
            ]
        return self._make("Call", node, func=called, args=arguments, keyword=None, keywords=keywords)

    def _record(self, function: Any) -> Any:
        if isinstance(function, vy_ast.Name):
            return self._find(self._scope, function.id)
        if isinstance(function, vy_ast.Attribute):
            scope = self._imported(function.value)
            return None if scope is None else self._find(scope, function.attr)
        return None

    def _is_record(self, function: Any) -> bool:
        return isinstance(self._record(function), vy_ast.StructDef | vy_ast.EventDef)

    def _is_event(self, function: Any) -> bool:
        return isinstance(self._record(function), vy_ast.EventDef)
