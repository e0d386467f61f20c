"""`reset_parameters`: the initialisation of the spec, as a method of the network's class.

The scheme that most layers of a kind have stands in a loop over the modules; those that differ are
named by their class and place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import sqrt
from typing import Any, NamedTuple

from archdsl.backends.pytorch.code import INDENT, WIDTH
from archdsl.ir.graph import Node
from archdsl.ops import Word

DEFAULT = Word("default")
BUILT_IN = {"ones", "zeros"}
"""What normalisations begin with when they are made: weight 1, bias 0."""

# Where a layer of this kind begins with a constant, its constructor is told so.
BY_CONSTRUCTOR = {"scale", "prelu"}


class Scheme(NamedTuple):
    """How the weight and the bias of a layer begin; none where it has none."""

    weight: Word | None
    bias: Word | None


def reset_parameters(nodes: Iterable[Node], class_of: Any, place_of: Any) -> list[str]:
    """The lines of the method; none where PyTorch's own initialisation is what the spec wants.

    `class_of(node)` is the layer's class in PyTorch, `place_of(node)` the class of the block
    that holds it and its attribute there.
    """
    schemes: dict[str, Counter[Scheme]] = {}
    layers: dict[str, list[tuple[Node, Scheme]]] = {}
    bare: set[str] = set()  # classes of which some layers have no weight
    for node in nodes:
        scheme = _scheme(node)
        if getattr(node.operation, "affine", True) is False:
            bare.add(class_of(node))
        if scheme is not None:
            name = class_of(node)
            layers.setdefault(name, []).append((node, scheme))
            # A layer without a bias says nothing of how biases begin.
            schemes.setdefault(name, Counter())[scheme] += 1
    general: list[str] = []
    special: dict[tuple[str, str, str], Scheme] = {}
    told: list[str] = []
    for name, counts in schemes.items():
        usual = _usual(counts)
        lines = _lines("m", usual, name, partly=any(scheme.bias is None for scheme in counts))
        if lines:
            word = "elif" if general else "if"
            test = f"isinstance(m, {name})"
            if name in bare:
                test += " and m.elementwise_affine" if "Layer" in name else " and m.affine"
            general += [f"{word} {test}:", *(INDENT + line for line in lines)]
            told.append(f"{name.removeprefix('nn.')} {_words(usual)}")
        for node, scheme in layers[name]:
            told_so = node.operation.name in BY_CONSTRUCTOR and not _is_drawn(scheme)
            if not _covers(usual, scheme) and not (told_so and not lines):
                if "Norm" in name and scheme.bias == usual.bias:
                    scheme = scheme._replace(bias=None)  # it has been given this one
                owner, attribute = place_of(node)
                special[owner, attribute, name] = scheme
    if not general and not special:
        return []
    body = ["for m in self.modules():", *(INDENT + line for line in general)] if general else []
    body += _special(special)
    doc = f"{'; '.join(told)}." if told else "Layers that begin in their own way."
    doc = doc[:1].upper() + doc[1:]
    if len(doc) > WIDTH - 14:
        doc = "The initialisation of the spec."
    return [
        f"{INDENT}def reset_parameters(self) -> None:",
        f'{INDENT * 2}"""{doc}"""',
        *(INDENT * 2 + line for line in body),
    ]


def _scheme(node: Node) -> Scheme | None:
    weights = {w.name: w.init for w in node.operation.weights if w.trainable}
    if not weights or "weight" not in weights:
        return None
    return Scheme(weights["weight"], weights.get("bias"))


def _usual(counts: Counter[Scheme]) -> Scheme:
    """The commonest weight, with the commonest bias among the layers that have one."""
    weights: Counter[Word | None] = Counter()
    for scheme, count in counts.items():
        weights[scheme.weight] += count
    weight = weights.most_common(1)[0][0]
    biases: Counter[Word | None] = Counter()
    for scheme, count in counts.items():
        if scheme.bias is not None and scheme.weight == weight:
            biases[scheme.bias] += count
    return Scheme(weight, biases.most_common(1)[0][0] if biases else None)


def _covers(usual: Scheme, scheme: Scheme) -> bool:
    return scheme.weight == usual.weight and scheme.bias in (None, usual.bias)


def _is_drawn(scheme: Scheme) -> bool:
    """Whether the weight is not a constant."""
    return scheme.weight is None or scheme.weight.name not in ("constant", "ones", "zeros")


def _lines(
    layer: str, scheme: Scheme, kind: str, fresh: bool = True, partly: bool = False
) -> list[str]:
    """The statements that give a layer its beginning; a fresh one may have it already.

    `partly` says that not all layers of the class have a bias.
    """
    lines: list[str] = []
    built_in = "Norm" in kind and fresh
    by_constructor = not any(word in kind for word in ("Conv", "Linear", "Norm"))
    if by_constructor and fresh and not _is_drawn(scheme):
        return []
    if not fresh and DEFAULT in scheme:
        lines.append(f"{layer}.reset_parameters()")
    if scheme.weight is not None and not (built_in and scheme.weight.name == "ones"):
        lines += _draw(scheme.weight, layer, "weight", kind)
    if scheme.bias is not None and not (built_in and scheme.bias.name == "zeros"):
        drawn = _draw(scheme.bias, layer, "bias", kind)
        if drawn and (partly or "Conv" in kind):  # convolutions often have none
            lines += [f"if {layer}.bias is not None:", *(INDENT + line for line in drawn)]
        else:
            lines += drawn
    return lines


def _draw(scheme: Word, layer: str, name: str, kind: str) -> list[str]:
    target = f"{layer}.{name}"
    arguments: tuple[Any, ...] = scheme.arguments
    match scheme.name:
        case "default":
            return []
        case "zeros" | "ones":
            return [f"nn.init.{scheme.name}_({target})"]
        case "constant":
            return [f"nn.init.constant_({target}, {arguments[0]})"]
        case "normal":
            return [f"nn.init.normal_({target}, {_mean(arguments)}std={arguments[0]})"]
        case "truncated_normal":
            return [f"nn.init.trunc_normal_({target}, {_mean(arguments)}std={arguments[0]})"]
        case "uniform":
            return [f"nn.init.uniform_({target}, -{arguments[0]}, {arguments[0]})"]
        case "fan_uniform":
            fan = _fan(arguments[0], layer, kind)
            text = f"({fan})" if " // " in fan else fan
            power = " ** " if "(" in text else "**"
            lines = [f"bound = {text}{power}-0.5"]
            return [*lines, f"nn.init.uniform_({target}, -bound, bound)"]
        case "xavier_normal" | "xavier_uniform":
            gain = "" if arguments[0] == 1 else f", gain={arguments[0]}"
            return [f"nn.init.{scheme.name}_({target}{gain})"]
    fan, gain = arguments
    if fan == "fan_out_per_group":
        lines = [f"fan = {_fan(fan, layer, kind)}"]
        factor = f"{gain**2:.15g}"
        if scheme.name == "kaiming_normal":
            return [*lines, f"nn.init.normal_({target}, std=({factor} / fan) ** 0.5)"]
        lines.append(f"bound = (3 * {factor} / fan) ** 0.5")
        return [*lines, f"nn.init.uniform_({target}, -bound, bound)"]
    options = [f'mode="{fan}"'] if fan != "fan_in" else []
    if gain == sqrt(2):
        options.append('nonlinearity="relu"')
    elif gain == 1:
        options.append('nonlinearity="linear"')
    else:
        options.append('nonlinearity="linear"')
        lines = [f"nn.init.{scheme.name}_({', '.join([target, *options])})"]
        return [*lines, "with torch.no_grad():", f"{INDENT}{target}.mul_({gain})"]
    return [f"nn.init.{scheme.name}_({', '.join([target, *options])})"]


def _mean(arguments: tuple[Any, ...]) -> str:
    return f"mean={arguments[1]}, " if len(arguments) > 1 else ""


def _fan(fan: str, layer: str, kind: str) -> str:
    if kind == "nn.Linear":
        return f"{layer}.in_features" if fan == "fan_in" else f"{layer}.out_features"
    if fan == "fan_in":
        return f"{layer}.weight[0].numel()"
    if fan == "fan_out":
        return f"{layer}.weight[:, 0].numel()"
    return f"{layer}.weight[:, 0].numel() // {layer}.groups"


def _special(special: dict[tuple[str, str, str], Scheme]) -> list[str]:
    """The statements for layers that begin unlike others of their class, by whose they are."""
    found: dict[str, list[str]] = {}
    for (owner, attribute, kind), scheme in special.items():
        holder = "m" if owner else "self"
        found.setdefault(owner, []).extend([
            f'layer = {holder}.get_submodule("{attribute}")',
            f"assert isinstance(layer, {kind})",
            *_lines("layer", scheme, kind, fresh=False),
        ])  # fmt: skip
    lines = found.pop("", [])
    for owner, inner in found.items():
        lines += ["for m in self.modules():", f"{INDENT}if isinstance(m, {owner}):"]
        lines += [INDENT * 2 + line for line in inner]
    return lines


def _words(scheme: Scheme) -> str:
    weight = str(scheme.weight).replace(", 1.4142135623730951", "")
    bias = f", biases {scheme.bias}" if scheme.bias and scheme.bias.name != "default" else ""
    return f"{weight}{bias}"
