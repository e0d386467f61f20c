"""`agree`: what is generated for a spec is the network of its graph."""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends.pytorch.source import generate
from archdsl.diagnostics.source import Source
from archdsl.elaborate.network import elaborate
from archdsl.frontend.program import Program
from archdsl.ir import costs
from archdsl.ir.graph import Graph
from archdsl.ops.initialisation import distribution
from tests.reference import Reference, State, randomise, weight_names

TOLERANCE = 1e-9
ROUGH = 1e-6
"""For gradients behind a `hard_sigmoid`: PyTorch's has a sixth in float32, whatever the type."""
WIDTH = 100

_folder = Path(tempfile.mkdtemp(prefix="archdsl-generated-"))
_count = itertools.count()


def build(text: str, variant: str | None = None, arch: str | None = None, **settings: Any) -> Graph:
    """The graph of a spec's last arch, or of one by name."""
    source = Source("spec.arch", text)
    program = Program(source)
    unit = program.find(arch or program.archs[-1], source)
    assert unit is not None
    arguments = {name: (value, None) for name, value in settings.items()}
    return elaborate(program, unit, arguments, variant=variant)


def load(source: str, name: str) -> type[nn.Module]:
    """A class of a module, which lies in a file as TorchScript wants it."""
    title = f"generated_{next(_count)}"
    path = _folder / f"{title}.py"
    path.write_text(source, encoding="utf-8")
    specification = importlib.util.spec_from_file_location(title, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[title] = module
    specification.loader.exec_module(module)
    found: type[nn.Module] = getattr(module, name)
    return found


def agree(
    text: str,
    variant: str | None = None,
    tools: bool = False,
    arguments: dict[str, Any] | None = None,
    **settings: Any,
) -> str:
    """Check what is generated for a spec in all that can be told without tools; gives its source.

    With `tools`, `torch.export` and `torch.compile` take it, too. `arguments` are for the class.
    """
    graph = build(text, variant, **settings)
    source = generate(graph, "spec.arch")
    try:
        network = load(source, graph.class_name)
        same_network(graph, network(**arguments or {}), tools)
    except BaseException:
        print(source)
        raise
    assert_imports_only_torch(source)
    assert source == generate(build(text, variant, **settings), "spec.arch")
    return source


def assert_imports_only_torch(source: str) -> None:
    imports = re.findall(r"^\s*(?:import|from) (\w+)", source, re.MULTILINE)
    assert set(imports) == {"torch"}, imports
    # As for linters, a remark for type checkers does not count.
    bare = re.sub(r"  # type: ignore\[\w+\]$", "", source, flags=re.MULTILINE)
    assert max(map(len, bare.splitlines())) <= WIDTH


def same_network(
    graph: Graph, module: nn.Module, tools: bool = False, training: bool = True
) -> None:
    """A module has the weights of a graph, and computes what it does."""
    same_state(graph, module)
    begins_as_told(graph, module)
    module = module.double()
    randomise(module.state_dict())
    _same_in_use(graph, module)
    if training:
        _same_in_training(graph, module)
    randomise(module.state_dict())
    _same_scripted(graph, module)
    if tools:
        _same_exported(graph, module)
        _same_compiled(graph, module)


def same_state(graph: Graph, module: nn.Module) -> None:
    """The whole `state_dict` is the graph's declaration: names, shapes, counts, and the order, in
    which modules stand in modules as they first appear in the graph."""
    told = weight_names(graph)
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert shapes == told
    parts = [tuple(name.split(".")) for name in told]
    first = {path[:i]: n for n, path in reversed([*enumerate(parts)]) for i in range(len(path) + 1)}
    order = sorted(parts, key=lambda path: [first[path[:i]] for i in range(len(path) + 1)])
    assert [*shapes] == [".".join(path) for path in order]
    trained = [name for name, _ in module.named_parameters()]
    assert trained == [name for name in shapes if name in {*trained}]
    assert sum(p.numel() for p in module.parameters()) == costs.total(graph).params


def inputs_of(graph: Graph, batch: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(batch)
    return [
        torch.randn(batch, *value.shape, generator=generator, dtype=torch.float64)
        for value in graph.inputs
    ]


def state_of(module: nn.Module, trained: bool = False) -> State:
    """Copies of all tensors of a module; to be trained, if so."""
    state = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
    for name, _ in module.named_parameters():
        state[name].requires_grad_(trained)
    return state


def as_list(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


def close(mine: Tensor, other: Tensor, what: object, tolerance: float = TOLERANCE) -> None:
    assert mine.shape == other.shape, (what, mine.shape, other.shape)
    if mine.numel():
        scale = max(1.0, float(other.detach().abs().max()))
        difference = float((mine - other).detach().abs().max())
        assert difference <= tolerance * scale, (what, difference)


def begins_as_told(graph: Graph, module: nn.Module) -> None:
    """Fresh weights are drawn as the spec says: constants exactly, the rest by its spread."""
    state = module.state_dict()
    for node in graph.nodes:
        groups = getattr(node.operation, "groups", 1)
        shape = next((w.shape for w in node.operation.weights), ())
        for weight in node.operation.weights:
            name = ".".join([*node.path, weight.name])
            tensor = state[name].double()
            drawn = distribution(weight.init, shape, groups)
            number, *mean = map(float, drawn.arguments)  # type: ignore[arg-type]
            if drawn.name == "constant":
                assert tensor.sub(number).abs().max() <= 1e-6, name
                continue
            if drawn.name == "uniform":
                assert tensor.abs().max() <= number * (1 + 1e-6), name
                number /= 3**0.5
            if tensor.numel() >= 64:
                tensor = tensor - sum(mean)
                assert 0.6 < float(tensor.square().mean().sqrt()) / number < 1.5, name


def _expected(graph: Graph, module: nn.Module, batch: int) -> tuple[list[Tensor], list[Tensor]]:
    inputs = inputs_of(graph, batch)
    with torch.no_grad():
        return inputs, Reference(graph, state_of(module))(*inputs)


def _same(graph: Graph, results: list[Tensor], expected: list[Tensor], training: bool) -> None:
    outputs = [output for output in graph.outputs if training or not output.training]
    assert len(results) == len(expected) == len(outputs)
    for output, mine, other in zip(outputs, results, expected, strict=True):
        assert tuple(mine.shape[1:]) == output.value.shape
        close(mine, other, output.name)


def _same_shapes(graph: Graph, module: nn.Module) -> None:
    """Every layer gives what the graph says of the value that has its name, and layers run in the
    order of the graph, which is that of the text: hooks and random numbers see it."""
    layers = [node for node in graph.nodes if not node.operation.operator]
    told = {".".join(node.path): node.outputs[0].shape for node in layers}
    seen: dict[str, tuple[int, ...]] = {}

    def watch(name: str) -> Any:
        def see(part: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                seen[name] = tuple(output.shape[1:])

        return see

    hooks = [p.register_forward_hook(watch(n)) for n, p in module.named_modules() if n in told]
    with torch.no_grad():
        module(*inputs_of(graph, 2))
    for hook in hooks:
        hook.remove()
    assert [*seen.items()] == [(name, shape) for name, shape in told.items() if name in seen]


def _same_in_use(graph: Graph, module: nn.Module) -> None:
    module.eval()
    _same_shapes(graph, module)
    for batch in (1, 3):
        inputs, expected = _expected(graph, module, batch)
        kept = [x.clone() for x in inputs]
        with torch.no_grad():
            _same(graph, as_list(module(*inputs)), expected, False)
        assert all(map(torch.equal, inputs, kept)), "an input was overwritten"


def _same_in_training(graph: Graph, module: nn.Module) -> None:
    """Outputs, running statistics and gradients of one step, with nothing dropped."""
    module.train()
    kept = _drop_nothing(module)
    state = state_of(module, trained=True)
    inputs = [x.requires_grad_() for x in inputs_of(graph, 3)]
    others = [x.detach().clone().requires_grad_() for x in inputs]
    results = as_list(module(*inputs))
    expected = Reference(graph, state, training=True)(*others)
    _same(graph, results, expected, True)
    for name, tensor in module.state_dict().items():
        close(tensor.double(), state[name].double(), name)
    _loss(results).backward()  # type: ignore[no-untyped-call]
    _loss(expected).backward()  # type: ignore[no-untyped-call]
    rough = any(node.operation.name == "hard_sigmoid" for node in graph.nodes)
    tolerance = ROUGH if rough else TOLERANCE
    for name, parameter in module.named_parameters():
        grad = state[name].grad
        assert (parameter.grad is None) == (grad is None), name
        if grad is not None and parameter.grad is not None:
            close(parameter.grad, grad, f"gradient of {name}", tolerance)
    module.zero_grad()
    for part, name, rate in kept:
        setattr(part, name, rate)


def _drop_nothing(module: nn.Module) -> list[tuple[nn.Module, str, float]]:
    """Set all rates to 0; gives what they were, since TorchScript has to see those."""
    rates = {"Dropout": "p", "DropPath": "rate"}
    kept = []
    for part in module.modules():
        name = rates.get(type(part).__name__)
        if name and hasattr(part, name):  # a block of a spec may be called like a layer
            kept.append((part, name, getattr(part, name)))
            setattr(part, name, 0.0)
    return kept


def _loss(outputs: list[Tensor]) -> Tensor:
    """A number that depends on every output in its own way."""
    return sum(
        (
            (x * torch.linspace(0.5, 1.5, x.numel(), dtype=x.dtype).view_as(x)).sum()
            for x in outputs
        ),
        torch.zeros((), dtype=torch.float64),
    )


def _same_scripted(graph: Graph, module: nn.Module) -> None:
    module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(module)
    inputs, expected = _expected(graph, module, 2)
    with torch.no_grad():
        _same(graph, as_list(scripted(*inputs)), expected, False)


def _same_exported(graph: Graph, module: nn.Module) -> None:
    module.eval()
    batch = torch.export.Dim("batch")
    exported = torch.export.export(
        module, tuple(inputs_of(graph, 2)), dynamic_shapes=[{0: batch} for _ in graph.inputs]
    ).module()
    inputs, expected = _expected(graph, module, 5)
    with torch.no_grad():
        _same(graph, as_list(exported(*inputs)), expected, False)


def _same_compiled(graph: Graph, module: nn.Module) -> None:
    module.eval()
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    inputs, expected = _expected(graph, module, 2)
    with torch.no_grad():
        _same(graph, as_list(compiled(*inputs)), expected, False)
