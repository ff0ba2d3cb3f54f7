"""Rules that Slither has for Solidity only, or in a form that does not fit Vyper, over the annotated tree of the compiler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from vyper import ast as vy_ast

from tools.static_analysis.findings import Finding

DEAD_CODE: Final = "dead-code"
BALANCE_NAMES: Final = ("balanceOf", "balance")


def findings_of(modules: list[vy_ast.Module]) -> list[Finding]:
    """What the rules find in files, each once."""
    results = list(_unused_state(modules))
    for module in modules:
        path = str(module.resolved_path)
        if module.is_interface:
            continue
        results += list(_unused_imports(module, path))
        for function in module.get_children(vy_ast.FunctionDef):
            results += list(_delegate_calls(function, path))
            results += list(_strict_equalities(function, path))
            results += list(_silent_writes(function, path))
    return results


def _at(node: vy_ast.VyperNode, path: str, rule: str, text: str) -> Finding:
    return Finding(path=path, line=int(node.lineno), rule=rule, text=text, impact="Own rule")


def _unused_imports(module: vy_ast.Module, path: str) -> Iterator[Finding]:
    """An import whose name the file never says."""
    said = {node.id for node in module.get_descendants(vy_ast.Name)}
    for node in module.body:
        if isinstance(node, vy_ast.Import | vy_ast.ImportFrom):
            alias = node._metadata["import_info"].alias
            if alias not in said:
                yield _at(node, path, "unused-import", f"{alias} is imported and never used")


def _unused_state(modules: list[vy_ast.Module]) -> Iterator[Finding]:
    """Constants and state that no file says. Slither does not look into the sizes of types and the bounds of loops."""
    said: set[tuple[str, str]] = set()
    for module in modules:
        imported = {
            info.alias: str(info.parsed.resolved_path)
            for node in module.body
            if isinstance(node, vy_ast.Import | vy_ast.ImportFrom)
            and isinstance((info := node._metadata["import_info"]).parsed, vy_ast.Module)
        }
        here = str(module.resolved_path)
        declared = {id(node.target) for node in module.get_children(vy_ast.VariableDecl)}
        said |= {(here, n.id) for n in module.get_descendants(vy_ast.Name) if id(n) not in declared}
        for node in module.get_descendants(vy_ast.Attribute):
            owner = getattr(node.value, "id", "")
            said.add((here if owner == "self" else imported.get(owner, ""), node.attr))
    for module in modules:
        for node in module.get_children(vy_ast.VariableDecl):
            path, name = str(module.resolved_path), node.target.id
            if not node.is_public and (path, name) not in said:
                yield _at(node, path, "unused-state", f"{name} is never used")


def _delegate_calls(function: Any, path: str) -> Iterator[Finding]:
    """Another contract's code on this contract's storage."""
    for call in function.get_descendants(vy_ast.Call):
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        flag = named.get("is_delegate_call")
        if flag is not None and not (isinstance(flag, vy_ast.NameConstant) and flag.value is False):
            yield _at(call, path, "delegate-call", f"{function.name} delegates to another contract")


def _is_movable(node: Any, tainted: set[str]) -> bool:
    """Whether an expression is made directly of the time or of a balance, which others can move."""
    for attribute in node.get_descendants(vy_ast.Attribute, include_self=True):
        is_time = isinstance(attribute.value, vy_ast.Name) and attribute.value.id == "block"
        if (is_time and attribute.attr == "timestamp") or attribute.attr in BALANCE_NAMES:
            return True
    return any(name.id in tainted for name in node.get_descendants(vy_ast.Name, include_self=True))


def _strict_equalities(function: Any, path: str) -> Iterator[Finding]:
    """`==` with the time or a balance. Slither's rule follows both into every packed word, so that it says nothing any more."""
    tainted: set[str] = set()
    for node in function.get_descendants(vy_ast.AnnAssign):
        if (
            isinstance(node.target, vy_ast.Name)
            and node.value is not None
            and _is_movable(node.value, tainted)
        ):
            tainted.add(node.target.id)
    for compare in function.get_descendants(vy_ast.Compare):
        is_something = isinstance(compare.op, vy_ast.NotEq) and getattr(compare.right, "value", None) == 0
        if is_something:  # no more than `> 0`
            continue
        if isinstance(compare.op, vy_ast.Eq | vy_ast.NotEq) and (
            _is_movable(compare.left, tainted) or _is_movable(compare.right, tainted)
        ):
            yield _at(
                compare,
                path,
                "strict-equality",
                f"{compare.node_source_code} asks for an exact amount or time",
            )


def _silent_writes(function: Any, path: str) -> Iterator[Finding]:
    """An external function that changes state and leaves no event, whatever it calls."""
    kind = function._metadata["func_type"]
    if not kind.is_external or kind.mutability.value in ("view", "pure"):
        return
    bodies = [function, *(inner.decl_node for inner in kind.reachable_internal_functions)]
    writes = any(_writes_state(body) for body in bodies)
    logs = any(body.get_descendants(vy_ast.Log) for body in bodies)
    calls = any(body.get_descendants(vy_ast.ExtCall) for body in bodies)
    if writes and not logs and not calls:
        yield _at(function, path, "silent-write", f"{function.name} changes state and logs nothing")


def _writes_state(body: Any) -> bool:
    for node in body.get_descendants((vy_ast.Assign, vy_ast.AugAssign)):
        target = node.target
        while isinstance(target, vy_ast.Subscript | vy_ast.Attribute):
            if isinstance(target, vy_ast.Attribute) and isinstance(target.value, vy_ast.Name):
                owner = target.value
                info = owner._metadata.get("type")
                if owner.id == "self" or type(info).__name__ == "ModuleT":
                    return True
            target = target.value
    return False
