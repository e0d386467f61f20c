"""Every primitive at the size of the spec and at others, in everything that is made of it; and
numbers that are easily lost: places of nearest resize, small spreads, what float16 lacks."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

import numpy as np
import onnxruntime
import pytest
import torch

from archdsl.api.network import loads
from archdsl.backends.onnx.opsets import OLDEST
from archdsl.ops import OPERATIONS
from tests import any_size
from tests.onnx_tools import ORT_NEWEST, checked, close, expected, run, state_of

WINDOWS = ("conv", "max_pool", "avg_pool", "conv_transpose", "resize")


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_primitive(name: str) -> None:
    random = Random(name)
    wanted, compared = 60 if name in WINDOWS else 12, 0
    for _ in range(10 * wanted):  # most cases count; some make no network
        if compared < wanted:
            compared += any_size.check(any_size.case(random, name))
    assert compared >= wanted


def net(shape: str, flow: str) -> str:
    return f"arch net {{\n  input x: {shape}\n  return {flow}\n}}\n"


# A flow and two sizes: the spec's, and one at which another border or window is needed.
OTHER_SIZES = {
    "x -> avg_pool(2, p=same)": ((4, 4), (5, 5)),
    "x -> avg_pool(2, p=same, count_include_pad=true)": ((4, 4), (5, 3)),
    "x -> avg_pool(2, s=3, p=same)": ((3, 3), (5, 7)),
    "x -> conv(1, k=3, s=(1, 2), d=(2, 1), p=same)": ((6, 6), (7, 5)),
    "x -> max_pool(2, s=(2, 1), d=(1, 2), p=same)": ((6, 6), (7, 5)),
    "x -> max_pool(2, s=3, p=same)": ((6, 6), (7, 5)),
    "x -> max_pool(3, p=keep, d=(3, 1), ceil=true)": ((4, 8), (7, 5)),
    "x -> max_pool(3, s=2, p=keep, d=3, ceil=true)": ((4,), (9,)),
    "x -> avg_pool((2, 3), s=3, p=same, count_include_pad=true)": ((6, 5), (9, 8)),
    "x -> conv(4, k=3, s=2, d=2, p=same)": ((8, 8), (7, 5)),
    "x -> group_norm(2)": ((8, 8), (7, 5)),
    "x -> slice(0, 2, axis=1)": ((8, 8), (6, 5)),
    "x -> slice(1, -1, axis=1)": ((4, 4), (6, 5)),
    "x -> slice(1, axis=-1)": ((4, 4), (6, 5)),
    "x -> slice(step=2, axis=(1, 2))": ((4, 4), (6, 5)),
    "x -> slice((1, 0, -3), (none, -1, 4), axis=(2, 0, 1), step=(3, 2, 1))": ((4, 9), (6, 5)),
    "x -> slice(-3, step=2, axis=(1, 2, 3))": ((4, 2, 3), (6, 5, 1)),
    "x -> slice(-3, -1, axis=(1, 2))": ((4, 2), (9, 5)),
    "x -> slice(1, 4, axis=1)": ((4,), (2,)),
    "x -> slice(-5, 3, axis=1)": ((4,), (7,)),
    "x -> reshape((2, -1))": ((4, 4), (6, 5)),
    "(x -> avg_pool((4, 4))) + x": ((4, 4), (7, 5)),
    "x -> avg_pool(3, p=keep)": ((5, 6, 7), (1, 1, 1)),
    "x -> avg_pool(4, s=1, p=2)": ((2, 4, 4), (1, 2, 3)),
}


@pytest.mark.parametrize("flow", OTHER_SIZES)
def test_other_sizes(flow: str) -> None:
    here, there = OTHER_SIZES[flow]
    order = tuple(range(len(here) + 2))
    for sizes in ((here, there), (there, here)):
        for opset in (OLDEST, 15, ORT_NEWEST):
            case = any_size.Case(flow, sizes, order, 0.0, 3, opset, False)
            assert any_size.check(case) == 2


@pytest.mark.parametrize("axes", [(0, 1, 4, 3, 2), (2, 3, 4, 1, 0), (0, 2, 3, 4, 1)])
def test_lrn_takes_any_layout(axes: tuple[int, ...]) -> None:
    case = any_size.Case("x -> lrn", ((6, 2, 5), (3, 4, 2)), axes, 0.0, 3, 20, False)
    assert any_size.check(case) == 2


def test_a_map_of_another_size_is_not_more_samples() -> None:
    module = loads(net("2x4", "x -> reshape((4, 2))")).module()
    with pytest.raises(RuntimeError):
        module(torch.zeros(1, 2, 8))


# Nearest resize: floor(i n / m), for every pair of sizes

MOST = 260


def places(n: int, m: int) -> np.ndarray:
    return np.arange(m) * n // m


def line(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.float32).reshape(1, 1, n)


def test_nearest_to_a_size(tmp_path: Path) -> None:
    """In the module, and in the graph with free sizes."""
    network = loads("arch net {\n  input x: 1x3\n  input y: 1x5\n  return x -> resize(y)\n}\n")
    module, path = network.module().eval(), tmp_path / "net.onnx"
    network.onnx(path, dynamic="spatial", opset=OLDEST)
    checked(path)
    session = session_of(path)
    for n, m in product(range(1, MOST + 1), repeat=2):
        x, y = line(n), np.zeros((1, 1, m), np.float32)
        with torch.no_grad():
            mine = module(torch.from_numpy(x), torch.from_numpy(y))[0, 0]
        assert np.array_equal(mine, places(n, m)), (n, m)
        assert np.array_equal(session.run(None, {"x": x, "y": y})[0][0, 0], places(n, m)), (n, m)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_nearest_by_a_scale(dtype: torch.dtype) -> None:
    """In the module, whether PyTorch does it or not."""
    scales = range(1, MOST // 2 + 1)
    outputs = ", ".join(f"x -> resize(scale={scale})" for scale in scales)
    network = loads(f"arch net {{\n  input x: 1x3\n  return {outputs}\n}}\n")
    assert 2 * network.source().count("_nearest_scaled(") < len(scales)  # PyTorch does most
    module = network.module().eval()
    for n in range(1, MOST + 1):
        results = module(torch.from_numpy(line(n)).to(dtype))
        for scale, result in zip(scales, results, strict=True):
            assert np.array_equal(result[0, 0].float(), places(n, n * scale)), (n, scale)


LIKE = "  return x -> resize(y), x -> resize(size=224)\n"


def test_whole_ratios_are_left_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gather takes several times as long; up to a ratio of 40, PyTorch's float32 is exact."""
    network = loads(f"arch net {{\n  input x: 1x112x112\n  input y: 1x224x224\n{LIKE}}}\n")
    module, gathered = network.module().eval(), []
    gather = torch.Tensor.index_select
    monkeypatch.setattr(
        torch.Tensor, "index_select", lambda *given: gathered.append(given) or gather(*given)
    )
    module(torch.zeros(1, 1, 112, 112), torch.zeros(1, 1, 224, 224))
    assert not gathered
    module(torch.zeros(1, 1, 224, 112), torch.zeros(1, 1, 225, 112))
    assert len(gathered) == 2
    exported = torch.export.export(
        module.double(), (torch.zeros(1, 1, 7, 8).double(), torch.zeros(1, 1, 14, 16).double()),
        dynamic_shapes=[{2: torch.export.Dim("a"), 3: torch.export.Dim("b")},
                        {2: torch.export.Dim("c"), 3: torch.export.Dim("d")}],
    ).module()  # fmt: skip
    x, y = torch.randn(1, 1, 9, 5).double(), torch.zeros(1, 1, 13, 10).double()
    for mine, other in zip(exported(x, y), module(x, y), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_nearest_by_whole_ratios(dtype: torch.dtype, order: torch.memory_format) -> None:
    network = loads("arch net {\n  input x: 1x3x3\n  input y: 1x5x5\n  return x -> resize(y)\n}\n")
    module = network.module().eval()
    for ratio in range(1, 45):
        for n in (1, 2, 3, 7, 41, 64, 127, 129, 255, 513, 1023, 4095):
            x = torch.randn(1, 1, 2, n).to(dtype).to(memory_format=order)
            mine = module(x, torch.zeros(1, 1, 2, n * ratio))
            assert torch.equal(mine, x[..., torch.arange(n * ratio) // ratio]), (n, ratio)


def test_nearest_in_a_graph_of_one_size(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    for n in range(1, MOST + 1):
        sizes = sorted({*range(n, MOST + 1, n), *range(n % 7 + 1, MOST + 1, 41)} - {n})
        outputs = ", ".join(f"x -> resize(size={m})" for m in sizes)
        loads(net(f"1x{n}", outputs)).onnx(path)
        for m, result in zip(sizes, run(path, [line(n)]), strict=True):
            assert np.array_equal(result[0, 0], places(n, m)), (n, m)


def session_of(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])


# Small spreads around large means

NORMS = ["group_norm(2)", "group_norm(4, affine=false)", "layer_norm", "lrn(k=0.1)", "softmax"]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("flow", NORMS)
def test_large_means(flow: str, rank: int, tmp_path: Path) -> None:
    """A mean of 1000 times the spread costs three digits of seven, and of 10,000 times four."""
    sizes = (6, 5, 7)[:rank]
    network = loads(net("x".join(map(str, (4, *sizes))), f"x -> {flow}"))
    state, path = state_of(network.graph), tmp_path / "net.onnx"
    module = network.module().eval()
    module.load_state_dict(state)
    spread = np.random.default_rng(0).standard_normal((3, 4, *sizes)).astype(np.float32)
    weights = {name: tensor.numpy() for name, tensor in state.items()}
    for dynamic, opset in product(("batch", "spatial"), (OLDEST, 20, 21)):
        network.onnx(path, dynamic=dynamic, opset=opset, weights=weights)
        for mean in (1e3, 1e4):
            x = spread + np.float32(mean)
            wanted = expected(network.graph, state, [x])
            close(run(path, [x]), wanted, mean * 1e-6)
            with torch.no_grad():
                close([module(torch.from_numpy(x)).numpy()], wanted, mean * 1e-6)


# What float16 lacks

FLOAT16 = [
    ("4", "x -> layer_norm(eps=1e-8)", 0.0),  # constant: the variance is 0, and eps decides
    ("4x3", "x -> layer_norm(eps=1e-8)", 1.0),
    ("4x3", "x -> layer_norm", 500.0),  # squares are over 65504
    ("4x3", "x * 1e-8", 15000.0),
    ("4x3", "x * 1000000", 0.01),
    ("4x3", "x / 0.000001", 0.01),
    ("1x100000", "x -> avg_pool(out=3)", 1.0),
    ("2x9", "x -> avg_pool(out=4) -> gelu -> hard_swish -> relu6 -> elu(1e-6)", 3.0),
]


@pytest.mark.parametrize("shape, flow, size", FLOAT16)
def test_float16(shape: str, flow: str, size: float, tmp_path: Path) -> None:
    """As exact as rounding once what goes in and what comes out."""
    network, path = loads(net(shape, flow)), tmp_path / "net.onnx"
    state = state_of(network.graph)
    x = np.random.default_rng(0).standard_normal((3, *network.graph.inputs[0].shape))
    x = (x * size).astype(np.float16)
    (wanted,) = expected(network.graph, state, [x])
    for opset in (OLDEST, 16, 17, 20):
        weights = {name: tensor.numpy() for name, tensor in state.items()}
        network.onnx(path, dtype="float16", opset=opset, weights=weights)
        checked(path)
        close(run(path, [x]), [wanted], 4e-3)
