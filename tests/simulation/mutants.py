"""Takes a safeguard out of the service, for the time of a run: a line of its code is another one meanwhile.

The service has no switch for this. A line that is not there any more, or there twice, is an error here, so
that the table of safeguards stays in step with the code.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """In the text at `where`, such as "module:Class.method" or "module:CONSTANT", `old` becomes `new`."""

    where: str
    old: str
    new: str

    @contextmanager
    def made(self) -> Iterator[None]:
        """Have it so."""
        module_name, _, path = self.where.partition(":")
        owner: Any = import_module(module_name)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        found = inspect.getattr_static(owner, name)
        if isinstance(found, str):
            setattr(owner, name, self._replaced(found))
            try:
                yield
            finally:
                setattr(owner, name, found)
            return
        function = inspect.unwrap(found)
        assert isinstance(function, FunctionType)
        before = function.__code__
        function.__code__ = self._compiled(function)
        try:
            yield
        finally:
            function.__code__ = before

    def _replaced(self, text: str) -> str:
        assert text.count(self.old) == 1, f"{self.where} has {self.old!r} {text.count(self.old)} times"
        return text.replace(self.old, self.new)

    def _compiled(self, function: FunctionType) -> CodeType:
        source = self._replaced(textwrap.dedent(inspect.getsource(function)))
        tree = ast.parse(source)
        (definition,) = tree.body
        assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
        definition.decorator_list = []
        compiled = compile(tree, function.__code__.co_filename, "exec", dont_inherit=True)
        return next(
            code
            for code in compiled.co_consts
            if isinstance(code, CodeType) and code.co_name == function.__name__
        )


@contextmanager
def changed(*changes: Change) -> Iterator[None]:
    """Have all of these changes at once."""
    with ExitStack() as made:
        for change in changes:
            made.enter_context(change.made())
        yield
