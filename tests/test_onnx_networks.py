"""The shipped networks in ONNX: sound, small, and the same as the PyTorch module's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import onnxsim
import onnxslim
import pytest
import torch
from safetensors.torch import save_file

from archdsl.api.network import Network, load, loads, shipped_names
from archdsl.backends.onnx import export
from archdsl.backends.onnx.opsets import NEWEST, OLDEST, ir_version
from tests.onnx_tools import checked, close, inputs_of, run, stored, weights_in
from tests.reference import randomise

# Nodes of the graph that torch's dynamo exporter writes for the public model.
MOST_NODES = {
    "mobilenet_v2": 100,
    "mnasnet_a1": 142,
    "resnext50": 122,
    "squeezenet1_1": 65,
    "efficientnet": 239,
}

SMALL = ("mnasnet_a1", "squeezenet1_1")


def trained(net: Network) -> torch.nn.Module:
    """The module with random weights, statistics included."""
    module = net.module().eval()
    randomise(module.state_dict())
    return module


@pytest.mark.parametrize("name", shipped_names())
def test_network(name: str, tmp_path: Path) -> None:
    net = load(name)
    module = trained(net)
    weights, path = tmp_path / "w.safetensors", tmp_path / "net.onnx"
    save_file(module.state_dict(), weights)
    inputs = inputs_of(net.graph, 1)
    with torch.no_grad():
        results = module(*map(torch.from_numpy, inputs))
    wanted = [x.numpy() for x in ([results] if isinstance(results, torch.Tensor) else results)]
    count = net.onnx(path, weights=weights)
    model = checked(path)
    assert count == len(model.graph.node) <= MOST_NODES.get(name, 10**6)
    close(run(path, inputs), wanted)
    _assert_clean(model, net)
    _assert_simple(model)
    net.onnx(path, weights=weights, fold=False)
    plain = checked(path)
    close(run(path, inputs), wanted)
    _assert_clean(plain, net)
    state = module.state_dict()
    for tensor, array in weights_in(plain).items():
        if "/" not in tensor:
            assert np.array_equal(array.ravel(), state[tensor].numpy().ravel()), tensor
    assert {t for t in weights_in(plain) if "/" not in t} == {
        t for t in state if not t.endswith("num_batches_tracked")
    }


def _assert_clean(model: onnx.ModelProto, net: Network) -> None:
    graph = model.graph
    operators = {node.op_type for node in graph.node}
    assert not operators & {"Constant", "Identity", "Dropout", "Shape", "Cast", "Unsqueeze"}
    names = [node.name for node in graph.node]
    assert len(set(names)) == len(names)
    assert all(_is_of(name, net) for name in names)
    assert [v.name for v in graph.input] == list(net.inputs)
    assert [v.name for v in graph.output] == list(net.outputs)
    assert [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim] == list(
        net.inputs[graph.input[0].name]
    )


def _is_of(name: str, net: Network) -> bool:
    """Whether a name is the line of a primitive, its operation, and what that is made of."""
    for node in net.graph.nodes:
        operation = node.operation.name
        line = [part for part in node.name if not part.isdigit() and part != operation]
        title = re.escape("/".join((*node.scope.path, *line, operation)))
        if re.fullmatch(rf"{title}(_\d+)?(/\w+)?", name):
            return True
    return False


def _assert_simple(model: onnx.ModelProto) -> None:
    """Simplifiers find nothing to remove."""
    count = len(model.graph.node)
    simplified, fine = onnxsim.simplify(model)
    assert fine
    assert len(simplified.graph.node) == count
    assert len(onnxslim.slim(model).graph.node) == count


def test_the_bytes_are_those_of_protobuf(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    for options in ({}, {"functions": True}, {"weights": False}, {"external_data": "always"}):
        load("mnasnet_a1").onnx(path, **options)
        content = path.read_bytes()
        assert onnx.load(path, load_external_data=False).SerializeToString() == content


def test_it_says_who_made_it(tmp_path: Path) -> None:
    from archdsl.support.version import __version__

    path = tmp_path / "net.onnx"
    load("mobilenet_v2", variant="mobilenet_v2_140", num_classes=7).onnx(path, seed=3, opset=17)
    model = onnx.load(path)
    assert (model.producer_name, model.producer_version) == ("archdsl", __version__)
    assert "Sandler" in model.doc_string
    entries = {p.key: p.value for p in model.metadata_props}
    assert entries == {
        "archdsl.spec": "mobilenet_v2.arch",
        "archdsl.arch": "mobilenet_v2",
        "archdsl.variant": "mobilenet_v2_140",
        "archdsl.parameters": "num_classes=7, width=1.4, dropout=0.2",
        "archdsl.options": "--opset 17 --seed 3 --fold-bn --dtype float32 --dynamic batch",
        "archdsl.version": __version__,
    }


def test_nodes_are_named_by_scope(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    load("mobilenet_v2").onnx(path, fold=False)
    names = {node.name for node in onnx.load(path).graph.node}
    assert {"stem/conv", "body/stage2/0/depthwise/conv", "body/stage2/0/depthwise/bn"} <= names
    assert {"body/stage2/1/add", "logits/flatten", "logits/linear"} <= names


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    one, two, three = (tmp_path / f"{i}.onnx" for i in range(3))
    load("squeezenet1_1").onnx(one, seed=4)
    load("squeezenet1_1").onnx(two, seed=4)
    load("squeezenet1_1").onnx(three, seed=5)
    assert one.read_bytes() == two.read_bytes() != three.read_bytes()


@pytest.mark.parametrize("opset", range(OLDEST, NEWEST + 1))
def test_every_opset(opset: int, tmp_path: Path) -> None:
    net = loads(
        "arch net {\n input x: 8x12x12\n y = x -> conv(8, k=3) -> bn -> mish -> layer_norm -> gelu"
        " -> group_norm(2) -> hard_swish -> resize(size=17, mode=bilinear)\n"
        " a, b = y -> split(2)\n return a + b -> global_pool -> linear(3)\n}"
    )
    path = tmp_path / "net.onnx"
    net.onnx(path, opset=opset)
    model = checked(path)
    assert model.opset_import[0].version == opset
    wanted = onnx.helper.find_min_ir_version_for(model.opset_import)
    assert model.ir_version == wanted == ir_version(opset)
    other = tmp_path / "other.onnx"
    net.onnx(other, opset=20)
    inputs = inputs_of(net.graph)
    close(run(path, inputs), run(other, inputs), 1e-5)


def test_opsets_go_as_far_as_onnx() -> None:
    assert NEWEST == onnx.defs.onnx_opset_version()


# Functions


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("name", [*SMALL, "efficientnet", "resnext50"])
def test_functions(name: str, fold: bool, tmp_path: Path) -> None:
    net = load(name)
    weights = tmp_path / "w.safetensors"
    stored(net.graph, weights)
    flat, path = tmp_path / "flat.onnx", tmp_path / "net.onnx"
    net.onnx(flat, weights=weights, fold=fold)
    net.onnx(path, weights=weights, fold=fold, functions=True)
    model = checked(path)
    inputs = inputs_of(net.graph, 2)
    close(run(path, inputs), run(flat, inputs), 1e-6)
    blocks = {node.scope.unit.class_name for node in net.graph.nodes if node.scope.parent}
    assert {f.name.rpartition("_")[0] or f.name for f in model.functions} == blocks
    assert weights_in(model).keys() == weights_in(onnx.load(flat)).keys()


ALIKE = """
block inner(s, t) {
  b = x -> conv(4, k=3, s=s)
  return b -> relu
}
block outer(s, t) as Outer_2 {
  a   = x -> inner(s, t)
  a_b = a -> conv(4, k=3, s=t)
  return a_b
}
block relued(s) as Outer {
  return x -> conv(4, k=3, s=s) -> relu
}
block biased(s) as Outer {
  return x -> conv(4, k=1, s=s, bias=true) -> relu
}
arch net {
  input x: 4x64x64
  p = x -> outer(1, 2)
  q = p -> outer(2, 1)
  return q -> relued(1) -> biased(1) -> biased(2)
}
"""


def test_functions_with_names_alike(tmp_path: Path) -> None:
    net, flat, path = loads(ALIKE), tmp_path / "flat.onnx", tmp_path / "net.onnx"
    net.onnx(flat)
    net.onnx(path, functions=True)
    model = checked(path)
    assert [f.name for f in model.functions] == ["Inner", "Outer_2", "Outer", "Outer_3"]
    assert list(model.functions[1].attribute) == ["a_b_conv_strides", "a_b_conv_strides_1"]
    assert [node.op_type for node in model.graph.node[2:]] == ["Outer", "Outer_3", "Outer_3"]
    inputs = inputs_of(net.graph)
    close(run(path, inputs), run(flat, inputs), 1e-6)


def test_a_function_says_what_its_block_does(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    load("mnasnet_a1").onnx(path, functions=True, fold=False)
    model = onnx.load(path)
    (kind,) = (f for f in model.functions if f.name == "MBConv")
    assert kind.doc_string.startswith("Mobile inverted bottleneck")
    assert kind.input[:2] == ["x", "expand.0.weight"]
    assert [node.name for node in kind.node][:2] == ["expand/conv", "expand/bn"]
    assert "body/stage2/0" in [node.name for node in model.graph.node]


# Types and sizes


@pytest.mark.parametrize("dtype, tolerance", [("float16", 0.02), ("bfloat16", 0.1)])
def test_types(dtype: str, tolerance: float, tmp_path: Path) -> None:
    net = loads(
        "arch net {\n input x: 4x9x9\n y = x -> conv(8, k=3) -> bn -> silu -> shift\n"
        " return y + 1 -> pad(1) -> max_pool(2) -> layer_norm -> global_pool -> linear(5)\n}"
    )
    weights, path = tmp_path / "w.safetensors", tmp_path / "net.onnx"
    stored(net.graph, weights)
    inputs = inputs_of(net.graph)
    net.onnx(path, weights=weights)
    wanted = run(path, inputs)
    net.onnx(path, weights=weights, dtype=dtype)
    model = checked(path)
    kind = onnx.TensorProto.DataType.Value(dtype.upper())
    assert {t.data_type for t in model.graph.initializer} <= {kind, onnx.TensorProto.INT64}
    assert model.graph.input[0].type.tensor_type.elem_type == kind
    if dtype == "float16":
        results = run(path, [x.astype(np.float16) for x in inputs])
    else:  # onnxruntime has no kernels for it on a CPU
        import ml_dtypes
        from onnx.reference import ReferenceEvaluator

        feeds = {"x": inputs[0].astype(ml_dtypes.bfloat16)}
        results = ReferenceEvaluator(str(path)).run(None, feeds)
    close([x.astype(np.float32) for x in results], wanted, tolerance)


def test_bfloat16_is_rounded_as_ml_dtypes_does() -> None:
    import ml_dtypes

    from archdsl.backends.onnx.model import BFLOAT16
    from archdsl.backends.onnx.numbers import encode

    bits = np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint32)
    numbers = bits.view(np.float32)
    numbers = np.concatenate([numbers[np.isfinite(numbers)], [0, -0.0, np.inf, -np.inf]])
    numbers = numbers[np.abs(numbers.astype(np.float64)) < 3e38].astype(np.float32)
    mine = encode(numbers, BFLOAT16)
    assert np.array_equal(mine, numbers.astype(ml_dtypes.bfloat16).view(np.uint16))
    assert encode(np.array([np.nan], np.float32), BFLOAT16)[0] == 0x7FC0


SPATIAL = [*SMALL, "mobilenet_v2"]


@pytest.mark.parametrize("name", SPATIAL)
def test_other_sizes(name: str, tmp_path: Path) -> None:
    net = load(name)
    module = trained(net)
    path = tmp_path / "net.onnx"
    net.onnx(path, weights=module.state_dict(), dynamic="spatial")
    model = checked(path)
    sizes = [d.dim_param for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["N", "", "H", "W"]
    for size in (224, 160, 203):
        (image,) = inputs_of(net.graph, 1, {224: size})
        with torch.no_grad():
            close(run(path, [image]), [module(torch.from_numpy(image)).numpy()])


# A flow, and a size of the input at which it is run, too: every primitive that may have any size.
ANY_SIZE = [
    "x -> conv(8, k=4, s=2, p=same) -> max_pool(3, s=2, p=same)",
    "x -> conv(8, k=3, d=2, p=same) -> avg_pool(2)",
    "x -> max_pool(3, s=2, ceil=true)",
    "x -> max_pool(2, s=2, p=1)",
    "x -> conv_transpose(6, k=3, s=2, p=1, out_pad=1)",
    "x -> pad(2, mode=reflect) -> group_norm(4) -> lrn -> prelu -> scale",
    "x -> resize(scale=2) -> resize(scale=3, mode=bilinear)",
    "x -> max_pool(2) -> resize(like=x, mode=bilinear)",
    "x -> conv(8, s=2) -> resize(like=x)",
    "x -> pixel_shuffle(2) -> permute((0, 2, 1))",
    "x * (x -> global_pool -> conv(12) -> sigmoid)",
    "concat(x, x -> shift, x -> channel_shuffle(3)) -> slice(3, 20) -> layer_norm",
    "x -> avg_pool(out=1) -> flatten -> linear(4)",
    "x -> resize(size=(5, 6), mode=bilinear) -> conv(4)",
    "x -> softmax(2) -> pad_channels(16)",
]


@pytest.mark.parametrize("flow", ANY_SIZE)
def test_any_size(flow: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    text = "arch net {{\n input x: 12x{0}x{1}\n y = {2}\n return y\n}}"
    net = loads(text.format(16, 18, flow))
    weights = tmp_path / "w.safetensors"
    stored(net.graph, weights)
    net.onnx(path, weights=str(weights), dynamic="spatial", opset=21)
    checked(path)
    for height, width in ((16, 18), (13, 24), (21, 15)):
        fixed = loads(text.format(height, width, flow))
        inputs = inputs_of(fixed.graph)
        other = tmp_path / "fixed.onnx"
        fixed.onnx(other, weights=str(weights), opset=21)
        close(run(path, inputs), run(other, inputs), 1e-5)


def test_a_batch_of_one(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    net = load("squeezenet1_1")
    net.onnx(path, dynamic="none")
    model = checked(path)
    shape = model.graph.input[0].type.tensor_type.shape
    assert [d.dim_value for d in shape.dim] == [1, 3, 224, 224]
    assert run(path, inputs_of(net.graph, 1))[0].shape == (1, 1000)


def test_several_outputs_and_names(tmp_path: Path) -> None:
    net = loads(
        "arch net {\n input a: 4x8x8\n input b: 4x8x8\n"
        " y = a + b -> conv(6, k=3) -> bn\n z = y -> relu\n aux = y -> conv(2)\n"
        " return z, y, a, z, aux if training\n}"
    )
    path = tmp_path / "net.onnx"
    net.onnx(path)
    model = checked(path)
    assert [v.name for v in model.graph.input] == ["a", "b"]
    assert [v.name for v in model.graph.output] == list(net.outputs) == ["z", "y", "a", "z_"]
    assert [n.op_type for n in model.graph.node] == ["Add", "Conv", "Relu", "Identity"]
    assert not any("aux" in t.name for t in model.graph.initializer)
    inputs = inputs_of(net.graph)
    results = run(path, inputs)
    assert np.array_equal(results[2], inputs[0]) and np.array_equal(results[0], results[3])
    export(net.graph, str(path), weights=False)
    given = [v.name for v in checked(path).graph.input]
    assert given[:2] == ["a", "b"] and "y.0.weight" in given and "y.1.running_mean" in given
