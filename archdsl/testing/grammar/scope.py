"""What the lines of a body know so far."""

from __future__ import annotations

from random import Random

from archdsl.ops import Shape

Known = dict[str, Shape]


class Scope:
    """Values by the text that means them: tensors, lists of tensors, numbers, flags, operations.

    A shape is none where only the checker knows it.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Shape | None] = {}
        self.lists: dict[str, list[Shape | None]] = {}
        self.tables: dict[str, list[str]] = {}
        """Lines that are tables, with the taps they have."""
        self.absent: list[str] = []
        self.numbers: dict[str, float] = {}
        self.flags: dict[str, bool] = {}
        self.sequences: dict[str, tuple[int, ...]] = {}
        self.operations: dict[str, str] = {}
        """Names of parameters and `let`s that hold an operation for one tensor of any shape."""
        self.taken: set[str] = set()
        self.loose: list[str] = []
        """Names that a loop gives a value again."""

    def copy(self) -> Scope:
        """One that can be added to without changing this one."""
        other = Scope()
        for name, value in vars(self).items():
            if name == "lists":
                value = {key: list(items) for key, items in value.items()}
            setattr(other, name, value.copy())
        return other

    def alike(self, shape: Shape | None) -> list[str]:
        """Tensors of a shape."""
        return [text for text, other in self.tensors.items() if other == shape]

    def pick(self, random: Random) -> tuple[str, Shape | None]:
        """A tensor; newer ones more often, so that networks get deep."""
        texts = [*self.tensors]
        index = max(random.randrange(len(texts)), random.randrange(len(texts)))
        if random.random() < 0.3:
            index = random.randrange(len(texts))
        return texts[index], self.tensors[texts[index]]
