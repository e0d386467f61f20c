"""Reads pickles as data: nothing that they name is imported, called or made.

What a pickle would call stays a `Call`, a thing with the name of what was to be called; only calls
that make tensors, ordered mappings and parameters are known for what they are. So any checkpoint
can be read, whatever lies beside its tensors, and no code in it runs. Operations, and what they
read again, are counted for all pickles of a file together, so that time and memory are bounded.
"""

from __future__ import annotations

import io
import pickletools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

_MOST_WORK = 4_000_000
"""Operations, and sixteenths of the bytes and items that they read, of all pickles of a file."""

_MOST_NAMES = 10_000
"""Different things of Python modules that the pickles of a file name."""

_WORTH = 16
"""Bytes or items that count as one operation."""


class Unreadable(Exception):
    """Why a pickle is not one of tensors."""


class Name:
    """Something of a Python module."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Call:
    """Placeholder for the result of a call or class."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Storage(NamedTuple):
    """The numbers of tensors: of which type, under which key of the file, how many."""

    kind: str
    key: str
    size: int
    start: int = 0


class Stored(NamedTuple):
    """A tensor: a view of a storage, or none where it cannot be read."""

    storage: Storage | None
    kind: str
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    negated: bool = False


_MAPPINGS = {"collections.OrderedDict", "collections.defaultdict", "collections.Counter"}
_KINDS = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128",
    "Untyped": "uint8", "QInt8": "qint8", "QUInt8": "quint8", "QInt32": "qint32",
}  # fmt: skip


class Reader:
    """Reads the pickles at the start of some bytes, one after another.

    Raises `Unreadable` where one is damaged or takes too much work.
    """

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)
        self._work = _Work()

    def read(self) -> Any:
        """What the next pickle holds."""
        machine = _Machine(self._work)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of texts with wrong escapes
                start = self._file.tell()
                for operation, argument, place in pickletools.genops(self._file):
                    self._work.spend(1 + (self._file.tell() - (place or start)) // _WORTH)
                    machine.do(operation.name, argument)
            return machine.stack[-1]
        except Unreadable:
            raise
        except Exception as problem:  # a pickle that is none fails anywhere
            raise Unreadable(f"damaged pickle ({type(problem).__name__})") from None

    @property
    def place(self) -> int:
        """Where the last pickle ended."""
        return self._file.tell()

    @property
    def storages(self) -> dict[str, Storage]:
        """The storages of all pickles, by key."""
        return self._work.storages


class _Work:
    """What the pickles of a file share: what they may cost, the things they name, storages."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self._left = _MOST_WORK
        self._names: dict[str, Name] = {}

    def spend(self, amount: int) -> None:
        """Count some work."""
        self._left -= amount
        if self._left < 0:
            raise Unreadable("pickle too long")

    def name(self, text: str) -> Name:
        """A thing of a module, the same one for the same text."""
        if text not in self._names:
            if len(self._names) == _MOST_NAMES:
                raise Unreadable("its pickle names too many things")
            self._names[text] = Name(text)
        return self._names[text]


class _Machine:
    def __init__(self, work: _Work) -> None:
        self.stack: list[Any] = []
        self._work = work
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:
        """One operation."""
        stack = self.stack
        if name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self._memo[int(argument)])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            if not 0 <= int(argument) < 2**32:  # others could all have the same hash
                raise Unreadable("its pickle remembers things under odd numbers")
            self._memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name == "GLOBAL":
            stack.append(self._work.name(argument.replace(" ", ".")))
        elif argument is not None and name not in ("PROTO", "FRAME", "PERSID", "INST"):
            stack.append(argument)
        elif name not in ("PROTO", "FRAME", "STOP"):
            method = _METHODS.get(name)
            if method is None:
                raise Unreadable(f"unsupported pickle operation {name}")
            method(self)

    def _marked(self) -> list[Any]:
        start = self._marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def _none(self) -> None:
        self.stack.append(None)

    def _newtrue(self) -> None:
        self.stack.append(True)

    def _newfalse(self) -> None:
        self.stack.append(False)

    def _empty_list(self) -> None:
        self.stack.append([])

    _empty_set = _empty_list

    def _empty_dict(self) -> None:
        self.stack.append({})

    def _empty_tuple(self) -> None:
        self.stack.append(())

    def _tuple(self) -> None:
        self.stack.append(tuple(self._marked()))

    def _tuple1(self) -> None:
        self._last(1)

    def _tuple2(self) -> None:
        self._last(2)

    def _tuple3(self) -> None:
        self._last(3)

    def _last(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _list(self) -> None:
        self.stack.append(self._marked())

    _frozenset = _list

    def _dict(self) -> None:
        items = self._marked()
        self.stack.append({})
        self._set(items)

    def _append(self) -> None:
        self._extend([self.stack.pop()])

    def _appends(self) -> None:
        self._extend(self._marked())

    _additems = _appends

    def _extend(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def _setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _setitems(self) -> None:
        self._set(self._marked())

    def _set(self, items: list[Any]) -> None:
        mapping = self.stack[-1]
        if isinstance(mapping, dict):  # whatever else it is, no tensors are in it
            pairs = zip(items[::2], items[1::2])
            # Keys of tensors are texts; numbers could all have the same hash.
            mapping.update((k, v) for k, v in pairs if isinstance(k, str))

    def _pop(self) -> None:
        self.stack.pop()

    def _pop_mark(self) -> None:
        self._marked()

    def _dup(self) -> None:
        self.stack.append(self.stack[-1])

    def _stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(self._work.name(f"{module}.{name}"))

    def _reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if isinstance(arguments, tuple):  # things that were remembered may be given to many calls
            items = sum(len(x) for x in arguments if isinstance(x, list | tuple))
            self._work.spend(items // _WORTH)
        self.stack.append(_called(function, arguments))

    _newobj = _reduce

    def _newobj_ex(self) -> None:
        self.stack.pop()
        self._reduce()

    def _obj(self) -> None:
        self.stack.append(_called(self._marked()[0], ()))

    def _inst(self) -> None:
        self._marked()
        self.stack.append(Call("an instance"))

    def _build(self) -> None:
        self.stack.pop()

    def _binpersid(self) -> None:
        found = _storage(self.stack.pop())
        if isinstance(found, Storage):
            self._work.storages[found.key] = found
        self.stack.append(found)


_METHODS: dict[str, Callable[[_Machine], None]] = {
    name[1:].upper(): method for name, method in vars(_Machine).items() if name.startswith("_")
}
"""What does an operation, by the operation's name."""


def _storage(place: Any) -> Storage | Call:
    """Data that a pickle stores externally."""
    if not isinstance(place, tuple) or len(place) < 5 or place[0] != "storage":
        return Call("an object outside of the pickle")
    _, kind, key, _, count, *view = place
    if not isinstance(kind, Name) or not isinstance(key, str) or not _are_sizes((count,)):
        raise Unreadable("storage without a type, key or size")
    name = kind.name.rpartition(".")[2].removesuffix("Storage")
    start = 0
    if view and view[0] is not None:  # a storage that is a part of another
        key, start, count = view[0]
        if not isinstance(key, str) or not _are_sizes((start, count)):
            raise Unreadable("storage without a type, key or size")
    return Storage(_KINDS.get(name, name.lower()), key, count, start)


def _called(function: Any, arguments: Any) -> Any:
    """Result of a call that creates a tensor or mapping."""
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        return Call("a call of something that is not a function")
    name = function.name
    if name in _MAPPINGS:
        (pairs,) = arguments[-1:] or ([],)
        if isinstance(pairs, dict):
            return pairs
        given = pairs if isinstance(pairs, list) else []
        return {pair[0]: pair[1] for pair in given if isinstance(pair[0], str)}
    module, _, short = name.rpartition(".")
    if module == "torch._utils" and short in ("_rebuild_tensor", "_rebuild_tensor_v2"):
        storage, start, shape, strides, *more = arguments
        return _tensor(storage, start, shape, strides, more[2:3])
    if name == "torch._utils._rebuild_tensor_v3":
        storage, start, shape, strides, _, _, kind, *more = arguments
        return _tensor(storage, start, shape, strides, more[:1], kind)
    if module == "torch._utils" and short.startswith("_rebuild_parameter"):
        return arguments[0]
    if name == "torch._tensor._rebuild_from_type_v2":
        return _called(arguments[0], arguments[2])
    if name == "torch._utils._rebuild_sparse_tensor":
        layout, (_, values, shape, *_) = arguments
        return _unreadable(f"sparse {getattr(values, 'kind', layout)}", shape)
    if name == "torch._utils._rebuild_meta_tensor_no_storage":
        kind, shape, *_ = arguments
        return _unreadable(f"{_short(kind)} without numbers", shape)
    if name == "torch._utils._rebuild_nested_tensor":
        return _unreadable(f"nested {getattr(arguments[0], 'kind', 'numbers')}", ())
    if name == "torch._utils._rebuild_qtensor":
        storage, _, shape, *_ = arguments
        return _unreadable(getattr(storage, "kind", "quantized numbers"), shape)
    if name.endswith(".multiarray.scalar"):  # of numpy
        return 0.0
    if name == "torch.Size":
        return arguments[0] if arguments else ()
    return Call(name)


def _tensor(
    storage: Any, start: Any, shape: Any, strides: Any, metadata: list[Any], kind: Any = None
) -> Stored:
    if not isinstance(storage, Storage):
        raise Unreadable("tensor without a storage")
    sizes = _are_sizes((start,)) and _are_sizes(shape) and _are_sizes(strides)
    if not sizes or len(shape) != len(strides):
        raise Unreadable("tensor without a shape")
    states = metadata[0] if metadata and isinstance(metadata[0], dict) else {}
    name = storage.kind if kind is None else _short(kind)
    if states.get("conj"):
        name = f"conjugate {name}"
    return Stored(storage, name, start, tuple(shape), tuple(strides), bool(states.get("neg")))


def _unreadable(kind: str, shape: Any) -> Stored:
    sizes = tuple(shape) if _are_sizes(shape) else ()
    return Stored(None, kind, 0, sizes, ())


def _short(name: Any) -> str:
    return name.name.rpartition(".")[2] if isinstance(name, Name) else "numbers"


def _are_sizes(values: Any) -> bool:
    return (
        isinstance(values, tuple | list)
        and len(values) <= 64
        and all(type(n) is int and 0 <= n < 2**62 for n in values)
    )
