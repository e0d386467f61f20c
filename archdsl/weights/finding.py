"""Finds which layer of a file is which layer of a network, or says why that cannot be told."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple

from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import Diagnostic, DiagnosticError
from archdsl.ops import shape_text
from archdsl.support import limits
from archdsl.weights.channels import other_channels
from archdsl.weights.layers import Layer, Network, bits, union
from archdsl.weights.modules import Checkpoint, Directions
from archdsl.weights.names import Meanings, lists_told, shared_modules
from archdsl.weights.reading import Reader, Reading, Task, TooManyWays, read
from archdsl.weights.rules import Rule, quoted

_HINT = 12
"""Lines of a map that a diagnostic suggests."""


_ALSO = ";\nor `--numbers up` if the numbers in names count upwards along the network, else `down`"

_FEW = 8
"""With more layers than this it is said briefly that most of them are missing."""


class Skipped(NamedTuple):
    """Layers of the network that begin anew, as bits, by what people ask for."""

    head: int = 0
    input: int = 0
    named: int = 0
    adapted: int = 0
    """Layers that are made of those for other channels; they are not skipped."""

    @property
    def all(self) -> int:
        return self.head | self.input | self.named


class Found(NamedTuple):
    """Layers of the file and of the network that are one another; those of the file unused."""

    pairs: list[tuple[Layer, Layer]]
    unused: list[Layer]


def find(
    network: Network,
    checkpoint: Checkpoint,
    path: str,
    rules: list[Rule],
    skipped: Skipped,
    allow_unused: bool,
    numbers: str = "",
) -> Found:
    """Match layers, except `skipped` ones. Raises `DiagnosticError`."""
    given = _Given(network, checkpoint, path, rules, skipped, allow_unused)
    try:
        image = _Search(given, numbers).image()
    except TooManyWays:
        raise DiagnosticError([errors.TooManyReadings(path=path)]) from None
    ours, theirs = network.layers, checkpoint.layers
    pairs = [
        (theirs[i], ours[j]) for i, j in image.items() if j is not None and not skipped.all >> j & 1
    ]
    used = {id(layer) for layer, _ in pairs}
    return Found(pairs, [layer for layer in theirs if id(layer) not in used])


class _Given(NamedTuple):
    network: Network
    checkpoint: Checkpoint
    path: str
    rules: list[Rule]
    skipped: Skipped
    allow_unused: bool


class _Search:
    def __init__(self, given: _Given, numbers: str) -> None:
        self._given = given
        self._network, self._checkpoint, self._path = given[:3]
        self._rules, self._skipped, self._allow_unused = given[3:]
        self._ours, self._theirs = self._network.layers, self._checkpoint.layers
        self._directions = Directions(numbers)
        self._settle()

    def _settle(self) -> None:
        """Results of the rules: pairs, skipped layers, and keys that others must share."""
        self._pairs: dict[int, int | None] = {}
        self._fresh = 0
        regions: list[Rule] = []
        for rule in self._rules:
            if not rule.ours:
                self._pairs.update({i: None for i in rule.theirs})
            elif not rule.theirs:
                self._fresh |= sum(1 << i for i in rule.ours)
            elif len(rule.ours) == len(rule.theirs) == 1:
                ((theirs,), (ours,)) = rule.theirs, rule.ours
                self._check_pair(theirs, ours, rule)
                self._pairs[theirs] = ours
            else:
                regions.append(rule)
        self._our_keys: list[Hashable] = [
            (layer.signature, *(i in rule.ours for rule in regions))
            for i, layer in enumerate(self._ours)
        ]
        self._their_keys: list[Hashable] = [
            (layer.signature, *(i in rule.theirs for rule in regions))
            for i, layer in enumerate(self._theirs)
        ]
        self._skipped = self._skipped._replace(named=self._skipped.named | self._fresh)

    def _check_pair(self, i: int, j: int, rule: Rule) -> None:
        theirs, ours = self._theirs[i], self._ours[j]
        if theirs.signature == ours.signature or self._skipped.all >> j & 1:
            return
        if self._skipped.adapted >> j & 1 and other_channels(theirs, ours):
            return
        raise DiagnosticError(
            [
                errors.MapDoesNotFit(
                    rule.span, theirs=shown(theirs), given=described(theirs), ours=ours.name,
                    expected=described(ours), hint=self._skip_hint(j),
                )
            ]
        )  # fmt: skip

    # Looking

    def image(self) -> dict[int, int | None]:
        same = self._same_names()
        if same is not None:
            return same
        reader: Reader | None = None
        for task in self._named_tasks():
            found, tried = self._read(task)
            if found is not None:
                return self._certain(found, task)
            if reader is None or tried.furthest.bit_count() > reader.furthest.bit_count():
                reader = tried
        assert reader is not None
        raise DiagnosticError(self._misfits(reader))

    def _read(self, task: Task) -> tuple[Reading | None, Reader]:
        return read(self._network, self._checkpoint, task, self._directions)

    def _named_tasks(self) -> Iterator[Task]:
        """What to look for: first that modules are the blocks of the same names, then anything."""
        ours, theirs = self._our_keys, self._their_keys
        mine, other = shared_modules(self._ours, self._theirs)
        if any(mine):
            self._our_keys = [*zip(ours, mine)]
            self._their_keys = [*zip(theirs, other)]
            tasks = [*self._tasks()]
            self._our_keys, self._their_keys = ours, theirs
            yield from tasks
        yield from self._tasks()

    def _tasks(self, drop: bool = False) -> Iterator[Task]:
        """What to look for: what is skipped has other shapes in the file, or is not in it; pairs
        are in their places, or wherever they are said to be.
        """
        kinds = [kind for kind in ("head", "input", "named") if getattr(self._skipped, kind)]
        for in_place in (True, False) if self._pairs else (True,):
            for there in itertools.product((True, False), repeat=len(kinds)):
                yield self._task(dict(zip(kinds, there)), in_place, drop)

    def _same_names(self) -> dict[int, int | None] | None:
        """The layers by their names, where the file has the names of the network."""
        if self._rules or self._skipped.all:
            return None
        places = {layer.name: i for i, layer in enumerate(self._theirs)}
        image: dict[int, int | None] = {}
        for j, layer in enumerate(self._ours):
            i = places.get(layer.name)
            if i is None or self._theirs[i].signature != layer.signature:
                return None
            image[i] = j
        if len(image) < len(self._theirs) and not self._allow_unused:
            return None
        return image

    def _task(self, there: dict[str, bool], in_place: bool = True, drop: bool = False) -> Task:
        """The search where each kind of what is skipped is in the file with other shapes, or not.

        To `drop` is to let anything that is too much go, in order to say what it is.
        """
        ours, theirs = list(self._our_keys), list(self._their_keys)
        settled: dict[int, int | None] = {}
        for i, j in self._pairs.items():
            if in_place and j is not None and not self._skipped.all >> j & 1:
                ours[j] = theirs[i] = ("the layer", j)
            else:
                settled[i] = j
        taken = sum(1 << j for j in settled.values() if j is not None)
        relaxed: dict[int, Callable[[int], bool]] = {}
        for kind, is_there in there.items():
            layers = getattr(self._skipped, kind) & ~taken & ~self._fresh
            if is_there:
                relaxed.update({j: self._fits(kind, j) for j in bits(layers)})
            else:
                taken |= layers
        taken |= self._fresh
        start = taken
        for j in bits(self._skipped.adapted & ~taken):
            relaxed.setdefault(j, self._adapts(j))

        def may_drop(now: int) -> bool:
            return (
                drop
                or self._allow_unused
                or (there.get("head") is False and now == self._network.all)
                or (there.get("input") is False and now == start)
            )

        return Task(ours, theirs, taken, settled, relaxed, may_drop)

    def _fits(self, kind: str, j: int) -> Callable[[int], bool]:
        """True if a layer of the file can be where the network begins anew."""
        ours = self._ours[j]
        parts = {"head": slice(1, None), "input": slice(0, 1)}.get(kind, slice(0, 0))

        def fits(i: int) -> bool:
            theirs = self._theirs[i]
            same_kind = _kind(theirs) == _kind(ours)
            if not same_kind or not ours.is_matrix:
                return same_kind
            if kind == "input" and theirs.weight[2:] != ours.weight[2:]:
                return False
            return theirs.weight[parts] == ours.weight[parts]

        return fits

    def _adapts(self, j: int) -> Callable[[int], bool]:
        """True if a layer of the file has the shapes of the network's, channels aside."""

        def fits(i: int) -> bool:
            theirs, ours = self._theirs[i], self._ours[j]
            return theirs.signature == ours.signature or other_channels(theirs, ours)

        return fits

    # Doubts

    def _certain(self, found: Reading, task: Task) -> dict[int, int | None]:
        """What was found, if there is no doubt, or what else speaks settles it. Raises."""
        while True:
            doubts = {i: c for i, c in found.doubts.items() if not self._is_idle(c)}
            if not doubts:
                return found.image
            more = self._turned(task) or self._settled(found, task, doubts)
            if more is None:
                raise DiagnosticError([self._ambiguous(found, doubts)])
            found, task = more

    def _turned(self, task: Task) -> tuple[Reading, Task] | None:
        """What is found once numbers count as they must: some families of names fit in one way
        alone, if all uses of a block are to have it.
        """
        ways = self._checkpoint.ways(self._directions)
        fit = dict(self._directions.ways)
        for name, choices in ways.items():
            if name not in fit:
                one = [self._directions._replace(ways={**fit, name: (way,)}) for way in choices]
                reads = [read(self._network, self._checkpoint, task, d)[0] for d in one]
                fit[name] = tuple(way for way, found in zip(choices, reads) if found)
        if fit == self._directions.ways:
            return None
        self._directions = self._directions._replace(ways=fit)
        more, _ = self._read(task)
        return None if more is None else (more, task)

    def _settled(
        self, found: Reading, task: Task, doubts: dict[int, frozenset[int | None]]
    ) -> tuple[Reading, Task] | None:
        """What is found once those layers are settled of which names tell what they are."""
        told = self._told(found, doubts)
        if not told:
            return None
        ours, theirs = list(task.ours), list(task.theirs)
        for i, j in told.items():
            ours[j] = theirs[i] = ("the layer", j)
        task = task._replace(ours=ours, theirs=theirs)
        more, _ = self._read(task)
        return None if more is None else (more, task)

    def _is_idle(self, candidates: Iterable[int | None]) -> bool:
        """True if it does not matter which it is, all being left out."""
        return all(j is None or self._skipped.all >> j & 1 for j in candidates)

    def _told(self, found: Reading, doubts: dict[int, frozenset[int | None]]) -> dict[int, int]:
        """Layers decided by equal names, or by names of layers in the same position elsewhere."""
        told: dict[int, int] = {}
        for i, candidates in doubts.items():
            for j in candidates:
                if j is not None and self._ours[j].name == self._theirs[i].name:
                    told[i] = j
        if told:
            return told
        settled = {i: j for i, j in found.image.items() if j is not None and i not in doubts}
        meanings = Meanings(self._network, self._theirs, settled)
        told = meanings.told(doubts) or lists_told(self._network, self._theirs, doubts)
        return told if len(set(told.values())) == len(told) else {}

    # Diagnostics

    def _ambiguous(self, found: Reading, doubts: dict[int, frozenset[int | None]]) -> Diagnostic:
        lines = []
        image, also = self._upwards(found)
        for i in sorted(doubts):
            now = image[i]
            names = [self._our_name(j) for j in sorted(doubts[i] - {now}, key=_order)]
            others = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            lines.append(
                f"  {quoted(shown(self._theirs[i]))} -> {self._our_name(now)}  # or {others}"
            )
        text = "\n".join(lines[:_HINT])
        if len(lines) > _HINT:
            text += f"\n  # and {len(lines) - _HINT} more"
        return errors.Ambiguous(path=self._path, count=len(doubts), lines=text, also=also)

    def _upwards(self, found: Reading) -> tuple[dict[int, int | None], str]:
        """What to propose: where it is open which way numbers count, that they count upwards."""
        if not self._directions.words and self._checkpoint.ways(self._directions):
            try:
                return _Search(self._given, "up").image(), _ALSO
            except (DiagnosticError, TooManyWays):
                pass
        return found.image, ""

    def _our_name(self, j: int | None) -> str:
        return "-" if j is None else self._ours[j].name

    def _misfits(self, reader: Reader) -> list[Diagnostic]:
        """Why a file cannot be read: what is missing, misshapen, too much, or in disorder."""
        held = Counter(k for i, k in enumerate(self._their_keys) if i not in self._pairs)
        begun = union([*(1 << j for j in self._pairs.values() if j is not None)])
        begun |= self._skipped.all
        places: dict[Hashable, list[int]] = defaultdict(list)
        for j, key in enumerate(self._our_keys):
            if not begun >> j & 1:
                places[key].append(j)
        lacking = [js for key, js in places.items() if held[key] < len(js)]
        if lacking:
            return self._others(lacking) or self._missing(lacking, held)
        if any(n > len(places[key]) for key, n in held.items()):
            for task in self._tasks(drop=True):
                found, _ = self._read(task)
                if found is not None:
                    return self._left_over(found)
        return [self._disorder(reader)]

    def _others(self, lacking: list[list[int]]) -> list[Diagnostic]:
        """Layers of other shapes where the file has one for each that is missing."""
        task = next(self._tasks())
        relaxed = {j: self._fits("named", j) for js in lacking for j in js}
        task = task._replace(relaxed={**relaxed, **task.relaxed})
        try:
            found, _ = self._read(task)
        except TooManyWays:
            found = None
        if found is None or any(not self._is_idle(c) for c in found.doubts.values()):
            return []
        problems: list[Diagnostic] = []
        for i, j in found.image.items():
            if j in relaxed and j not in task.relaxed.keys() - relaxed.keys():
                theirs, ours = self._theirs[i], self._ours[j]
                if theirs.signature != ours.signature:
                    problem = errors.OtherCounterpart(
                        path=self._path, theirs=shown(theirs), given=described(theirs),
                        ours=ours.name, expected=described(ours), hint=self._skip_hint(j),
                    )  # fmt: skip
                    problems.append(problem)
        return problems[: limits.MISTAKES]

    def _missing(self, lacking: list[list[int]], held: Counter[Hashable]) -> list[Diagnostic]:
        problems: list[Diagnostic] = []
        short = sum(len(js) - held[self._our_keys[js[0]]] for js in lacking)
        if 2 * short > len(self._ours) > _FEW:
            text = f"{short} of the {len(self._ours)} layers of the network"
            hint = "the checkpoint may be of another network, variant or width"
            return [errors.NoCounterpart(path=self._path, what=text, hint=hint)]
        for js in lacking:
            count = held[self._our_keys[js[0]]]
            names = [f"`{self._ours[j].name}`" for j in js]
            what = described(self._ours[js[0]])
            if not count and len(js) == 1:
                text = f"{names[0]}, {what}"
            else:
                listed = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
                text = f"{len(js) - count} of {len(js)} layers that are {what}: {listed}"
            problem = errors.NoCounterpart(
                path=self._path, what=text, hint=self._skip_hint(js[0]) if len(js) == 1 else ""
            )
            problems.append(problem)
        return problems[: limits.MISTAKES]

    def _skip_hint(self, j: int) -> str:
        """The option that begins a layer anew."""
        name = self._ours[j].name
        option = f"--skip {name}"
        if self._network.head >> j & 1:
            option = "--skip-head"
        elif self._network.input >> j & 1:
            option = "--skip-input"
        return f"`{option}` begins `{name}` anew"

    def _left_over(self, found: Reading) -> list[Diagnostic]:
        problems: list[Diagnostic] = []
        hint = "`--allow-unused` leaves it out, or a line `NAME -> -` of a map"
        doubts = {i: c for i, c in found.doubts.items() if not self._is_idle(c)}
        dropped = [i for i, j in found.image.items() if j is None]
        for i in dropped:
            text = f"`{shown(self._theirs[i])}`, {described(self._theirs[i])}"
            if i in doubts:
                alike = [k for k in sorted(doubts) if self._their_keys[k] == self._their_keys[i]]
                names = ", ".join(f"`{shown(self._theirs[k])}`" for k in alike[:_HINT])
                text = f"one layer more of {described(self._theirs[i])} ({names})"
            problems.append(errors.LeftOver(path=self._path, what=text, hint=hint))
        return problems[: limits.MISTAKES]

    def _disorder(self, reader: Reader) -> Diagnostic:
        free = [
            j
            for j in range(len(self._ours))
            if not reader.furthest >> j & 1 and not self._network.before[j] & ~reader.furthest
        ]
        names = [f"`{self._ours[j].name}`, {described(self._ours[j])}" for j in free[:3]]
        stuck = "nothing" if reader.stuck is None else f"`{shown(self._theirs[reader.stuck])}`"
        if reader.stuck is not None:
            stuck += f", {described(self._theirs[reader.stuck])},"
        line = (
            f"  {'NAME' if reader.stuck is None else quoted(shown(self._theirs[reader.stuck]))} -> "
        )
        line += self._ours[free[0]].name if free else "NAME"
        return errors.OrderDiffers(
            path=self._path, taken=reader.furthest.bit_count(), count=len(self._ours),
            theirs=stuck, ours=" or ".join(names) or "left over", lines=line,
        )  # fmt: skip


def _order(j: int | None) -> int:
    return -1 if j is None else j


def _kind(layer: Layer) -> tuple[bool, int]:
    """Kind of a layer, independent of its sizes."""
    return "running_mean" in layer.shapes, min(2, len(layer.weight))


def shown(layer: Layer) -> str:
    """The name of a layer of a file."""
    return layer.name or next(iter(layer.tensors.values()))


def described(layer: Layer) -> str:
    """Description of a layer."""
    shapes = layer.shapes
    if "running_mean" in shapes:
        plain = "" if "weight" in shapes else " without weight"
        return f"a batch norm of {shape_text(shapes['running_mean']) or 1}{plain}"
    text = shape_text(next(iter(shapes.values()))) or "a single number"
    return text + (" and a bias" if "bias" in shapes and "weight" in shapes else "")
