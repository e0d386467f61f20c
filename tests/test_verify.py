"""`archdsl verify`: it agrees with what is right, and finds each kind of fault."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from archdsl import cli
from archdsl.api.network import Network, load, loads
from archdsl.diagnostics import errors
from archdsl.tools.verify import Report, verify
from archdsl.tools.verify.state import problems_of
from tests.onnx_tools import stored
from tests.test_onnx_weights import NET, refused, small

TWO_OUTPUTS = """
arch net {
  input x: 8x7x7
  a = x -> conv(8, k=3, s=2, p=same) -> bn -> relu
  b = a -> max_pool(3, s=2, p=same) -> conv(8) -> group_norm(2)
  left  = b -> conv(4, k=3)
  right = b -> conv(4, k=1) -> silu
  return left, right
}
"""

Change = Callable[[onnx.ModelProto], None]


def of_file(
    text: str, folder: Path, change: Change | None = None, sizes: Any = (), **options: Any
) -> Report:
    """What verify finds in a file with drawn weights that was changed after it was written."""
    network = loads(text)
    path = folder / "net.onnx"
    network.onnx(path, **options)
    if change is not None:
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)
    return verify(network, onnx=path, sizes=sizes)


# What is right agrees


@pytest.mark.parametrize(
    "options",
    [
        {}, {"fold": False}, {"functions": True}, {"opset": 17}, {"dtype": "float16"},
        {"dtype": "bfloat16"}, {"dynamic": "spatial", "opset": 21}, {"dynamic": "none"},
        {"seed": 7}, {"external_data": "always"},
    ],
)  # fmt: skip
def test_a_file_agrees_with_the_weights_that_it_was_made_of(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    report = of_file(TWO_OUTPUTS, tmp_path, **options)
    assert report.agrees, report.text()
    assert int(report.compared.split()[0]) >= 7
    expected = 3 if options.get("dynamic") == "spatial" else 1
    assert len(report.sizes) == expected


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_files_of_weights(tmp_path: Path, ending: str, fold: bool) -> None:
    network = loads(TWO_OUTPUTS)
    state = stored(network.graph, tmp_path / "w.safetensors")
    weights = tmp_path / f"w.{ending}"
    if ending == "pt":
        torch.save(state, weights)
    path = tmp_path / "net.onnx"
    network.onnx(path, weights=weights, fold=fold)
    assert verify(network, 1, onnx=path, weights=weights).agrees
    assert verify(network, 1, onnx=path, weights=state).agrees
    assert verify(network, 1, weights=weights, dtype="float16").agrees
    (problem,) = refused(lambda: verify(network, 1, onnx=path))
    assert isinstance(problem, errors.NeedsWeights)
    state["left.weight"][2, 0, 0, 0] += 0.01  # other weights than those of the file
    assert not verify(network, 1, onnx=path, weights=state).agrees


def test_checkpoints_of_others(tmp_path: Path) -> None:
    """What `weights convert` and `onnx --weights` take: other names, beside other tensors."""
    network = loads(TWO_OUTPUTS)
    own = stored(network.graph, tmp_path / "own.safetensors")
    theirs = {
        name.replace("a.0", "module.stem.conv").replace("a.1", "module.stem.norm")
        .replace("b.1", "module.mid").replace("b.2", "module.mid_norm")
        .replace("left", "module.x.conv").replace("right.0", "module.y.conv"): tensor
        for name, tensor in own.items()
    }  # fmt: skip
    assert theirs.keys().isdisjoint(own)
    path, weights = tmp_path / "net.onnx", tmp_path / "best.pth.tar"
    torch.save({"epoch": 3, "state_dict": theirs, "best_acc1": torch.tensor(7.5)}, weights)
    network.onnx(path, weights=weights)
    report = verify(network, 1, onnx=path, weights=weights)
    assert report.agrees, report.text()
    assert verify(network, 1, onnx=path, weights=own).agrees
    assert verify(network, 1, weights=theirs).agrees


def test_what_training_alone_needs_may_have_another_shape(tmp_path: Path) -> None:
    state = dict(stored(small().graph, tmp_path / "w.safetensors"))
    state["side.weight"] = torch.zeros(9, 64, 1, 1)
    small().onnx(tmp_path / "net.onnx", weights=state)
    assert verify(small(), 1, onnx=tmp_path / "net.onnx", weights=state).agrees


@pytest.mark.parametrize("fold", [True, False])
def test_weights_that_are_inputs(tmp_path: Path, fold: bool) -> None:
    network = loads(TWO_OUTPUTS)
    state = stored(network.graph, tmp_path / "w.safetensors")
    network.onnx(tmp_path / "net.onnx", weights=False, fold=fold)
    report = verify(network, 1, onnx=tmp_path / "net.onnx", weights=state)
    assert report.agrees, report.text()


def test_a_file_of_torchs_exporter(tmp_path: Path) -> None:
    network = loads(NET)
    module = network.module().eval()
    path = tmp_path / "theirs.onnx"
    torch.onnx.export(
        module, (torch.zeros(2, 8, 6, 6),), str(path), dynamo=False, input_names=["input"],
        dynamic_axes={"input": {0: "batch"}},
    )  # fmt: skip
    report = verify(network, onnx=path, weights=module.state_dict())
    assert report.agrees, report.text()
    assert any("the inputs of the file are input" in note for note in report.notes)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_types_of_a_shipped_network(dtype: str) -> None:
    report = verify(load("squeezenet1_1"), 1, dtype=dtype)
    assert report.agrees, report.text()
    assert report.outputs[0].relative > 0


TAP = """
arch net {
  input x: 4x5x5
  y = x -> stages {
    block    c
    a: conv  4
    b: conv  4
  }
  return y.a
}
"""


def test_what_no_output_needs_is_no_difference() -> None:
    report = verify(loads(TAP), 1)
    assert report.agrees and (report.torch_params, report.training_params) == (32, 16)


# What is wrong is found


def _initializer(model: onnx.ModelProto, name: str, change: Callable[[np.ndarray], None]) -> None:
    (tensor,) = [t for t in model.graph.initializer if t.name == name]
    array = numpy_helper.to_array(tensor).copy()
    change(array)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _one_weight(model: onnx.ModelProto) -> None:
    """Less than outputs show: a hundredth of a single number."""

    def change(array: np.ndarray) -> None:
        array[0, 0, 0, 0] *= 1.01

    _initializer(model, "left.weight", change)


def _order(model: onnx.ModelProto) -> None:
    outputs = [*model.graph.output]
    del model.graph.output[:]
    model.graph.output.extend(outputs[::-1])


def _swapped(model: onnx.ModelProto) -> None:
    names = {"left": "right", "right": "left"}
    for node in model.graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]


def _attribute(operator: str, name: str, value: Any) -> Change:
    def change(model: onnx.ModelProto) -> None:
        node = next(node for node in model.graph.node if node.op_type == operator)
        for attribute in node.attribute:
            if attribute.name == name:
                node.attribute.remove(attribute)
                break
        node.attribute.append(helper.make_attribute(name, value))

    return change


@pytest.mark.parametrize(
    "change",
    [
        _one_weight, _order, _swapped, _attribute("InstanceNormalization", "epsilon", 0.01),
        _attribute("Conv", "pads", [2, 2, 0, 0]),
    ],
)  # fmt: skip
def test_a_changed_file_is_found(tmp_path: Path, change: Change) -> None:
    report = of_file(TWO_OUTPUTS, tmp_path, change)
    assert not report.agrees and "DIFFERS" in report.text()


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_number_of_any_weight_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("changed")

    def change(model: onnx.ModelProto) -> None:
        tensor = data.draw(st.sampled_from([t for t in model.graph.initializer if "." in t.name]))
        place = data.draw(st.integers(0, int(np.prod(tensor.dims)) - 1))

        def add(array: np.ndarray) -> None:
            array.reshape(-1)[place] += 0.001 * max(np.abs(array).max(), 0.01)

        _initializer(model, tensor.name, add)

    assert not of_file(TWO_OUTPUTS, folder, change, fold=data.draw(st.booleans())).agrees


def test_a_fault_of_other_sizes_is_found_at_other_sizes(tmp_path: Path) -> None:
    """A border that counts in an average: there is none at the spec's size."""
    text = "arch net {\n  input x: 3x8x8\n  return x -> avg_pool(2, s=2)\n}\n"
    change = _attribute("AveragePool", "pads", [0, 0, 1, 1])
    network, path = loads(text), tmp_path / "net.onnx"
    network.onnx(path, dynamic="spatial")
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    report = verify(network, onnx=path)
    assert not report.agrees
    assert report.outputs[0].torch_shape == "Nx3x4x5" and "3x9x10" in report.notes[0]
    assert verify(network, onnx=path, sizes=[(16, 32)]).agrees


def test_one_index_of_a_resize_is_found(tmp_path: Path) -> None:
    text = "arch net {\n  input x: 1x4x4\n  return x -> resize(10, mode=nearest)\n}\n"
    assert of_file(text, tmp_path).agrees

    def change(model: onnx.ModelProto) -> None:
        def other_pixel(array: np.ndarray) -> None:
            array[5] -= 1

        (tensor,) = [t for t in model.graph.initializer if t.dims == [10]]
        _initializer(model, tensor.name, other_pixel)

    assert not of_file(text, tmp_path, change).agrees


def _naive_group_norm(path: Path, naive: bool) -> None:
    """Group normalization of 4 channels by twos, its variance as E[x^2] - E[x]^2 or right."""
    nodes = [
        helper.make_node("Reshape", ["x", "grouped"], ["g"]),
        helper.make_node("ReduceMean", ["g", "axes"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["g", "g"], ["square"]),
        helper.make_node("ReduceMean", ["square", "axes"], ["of_squares"], keepdims=1),
        helper.make_node("Mul", ["mean", "mean"], ["squared"]),
        helper.make_node("Sub", ["g", "mean"], ["centered"]),
        helper.make_node("Mul", ["centered", "centered"], ["deviation"]),
        helper.make_node("ReduceMean", ["deviation", "axes"], ["right"], keepdims=1),
        helper.make_node("Sub", ["of_squares", "squared"], ["wrong"]),
        helper.make_node("Add", ["wrong" if naive else "right", "eps"], ["variance"]),
        helper.make_node("Sqrt", ["variance"], ["spread"]),
        helper.make_node("Div", ["centered", "spread"], ["normal"]),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Reshape", ["normal", "shape"], ["out"]),
    ]
    constants = {
        "grouped": np.array([0, 2, -1]), "axes": np.array([2]), "eps": np.float32([1e-5]),
    }  # fmt: skip
    shape = ["N", 4, 12, 12]
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def test_a_variance_that_cancels_is_found(tmp_path: Path) -> None:
    network = loads("arch net {\n  input x: 4x12x12\n  return x -> group_norm(2)\n}\n")
    state = network.module().state_dict()
    for naive in (False, True):
        _naive_group_norm(tmp_path / "net.onnx", naive)
        report = verify(network, onnx=tmp_path / "net.onnx", weights=state)
        assert report.agrees == (not naive), report.text()


# The state of the module


def test_a_module_that_shares_layers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers that are one compute what a graph with both computes from equal weights."""
    network = loads(
        "arch net {\n  input x: 4x5x5\n  a = x -> conv(4) -> relu\n  b = a -> conv(4)\n"
        "  return b\n}\n"
    )
    right = network.module()
    assert problems_of(right, network) == []

    def shared(self: Network) -> torch.nn.Module:
        module = right
        module.b = module.a[0]  # type: ignore[index,union-attr]
        return module

    monkeypatch.setattr(Network, "module", shared)
    report = verify(network, 1)
    assert not report.agrees and "are one tensor in the module" in report.text()
    assert "the module has 16 parameters, the spec 32" in report.text()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m: delattr(m, "b"), "the module lacks `b.weight`"),
        (lambda m: m.add_module("c", torch.nn.Linear(2, 2)), "only the module has `c.weight`"),
        (lambda m: m.add_module("b", torch.nn.Conv2d(4, 4, 3)), "`b.weight` is 4x4x3x3 of float32"),
        (lambda m: m.double(), "`a.0.weight` is 4x4x1x1 of float64 in the module"),
        (lambda m: m.register_buffer("mask", torch.ones(2)), "only the module has `mask`"),
    ],
)
def test_a_state_other_than_declared_is_found(
    change: Callable[[torch.nn.Module], object], text: str
) -> None:
    network = loads(
        "arch net {\n  input x: 4x5x5\n  a = x -> conv(4) -> relu\n  b = a -> conv(4)\n"
        "  return b\n}\n"
    )
    module = network.module()
    change(module)
    assert any(text in problem for problem in problems_of(module, network))


# The command


def test_verify_of_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(TWO_OUTPUTS)
    save_file(loads(TWO_OUTPUTS).module().state_dict(), "w.safetensors")
    assert (
        cli.main(
            [
                "onnx",
                "net.arch",
                "--weights",
                "w.safetensors",
                "--dynamic",
                "spatial",
                "--opset",
                "21",
            ]
        )
        == 0
    )
    capsys.readouterr()
    files = ["verify", "net.arch", "--onnx", "net.onnx", "--weights", "w.safetensors"]
    assert cli.main([*files, "--size", "10x33", "--size", "x=5x5"]) == 0
    out = capsys.readouterr().out
    assert "8x10x33, 8x5x5" in out and "initializers found by name" in out
    assert cli.main([*files, "--opset", "17"]) == 2
    assert "A6044" in capsys.readouterr().err
    for size, code in (("9", "A6043"), ("y=9x9", "A6043")):
        assert cli.main([*files, "--size", size]) == 1
        assert code in capsys.readouterr().err
    for size in ("9x0", "axb", "9x9,8x8", "x=9x9,9x9", ""):
        assert cli.main([*files, "--size", size]) == 2
        capsys.readouterr()
    assert cli.main(["verify", "net.arch", "--size", "12x12", "--dynamic", "batch"]) == 1
    assert "A6043" in capsys.readouterr().err
    assert cli.main(["verify", "net.arch", "--onnx", "net.arch"]) == 1
    assert "A6040" in capsys.readouterr().err
    assert cli.main(["verify", "net.arch", "--onnx", "none.onnx"]) == 1
    assert "A0011" in capsys.readouterr().err


def test_another_network_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    loads("arch net {\n  input x: 8x7x7\n  return x -> conv(4)\n}").onnx(path)
    (problem,) = refused(lambda: verify(loads(TWO_OUTPUTS), onnx=path))
    assert isinstance(problem, errors.NotThisNetwork)


def test_verify(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = tmp_path / "net.arch"
    spec.write_text(NET)
    assert cli.main(["verify", str(spec), "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert (
        "c       Nx32     Nx32" in out
        and "agrees" in out
        and "(192 that inference does not need)" in out
    )
    assert cli.main(["verify", str(spec), "--keep-bn", "--functions", "--opset", "17"]) == 0


def test_verify_tells_a_difference(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archdsl.backends.onnx.lowering import LOWERINGS

    spec = tmp_path / "net.arch"
    spec.write_text(NET)
    monkeypatch.setitem(LOWERINGS, "relu", LOWERINGS["silu"])
    assert cli.main(["verify", str(spec)]) == 1
    assert "DIFFERS" in capsys.readouterr().out


DEEP = """
arch deep {
  input x: 8x16x16
  input handed: 5
  y = x
  repeat i in 0..30 { y = y + (y -> conv(8, k=3) -> bn -> relu -> conv(8) -> bn -> drop_path(0.1)) }
  g = y -> global_pool
  return y * ((g -> sigmoid) + (g -> conv(8) -> bn -> sigmoid)), handed
}
"""


def test_verify_keeps_numbers_of_deep_networks_in_size() -> None:
    report = verify(loads(DEEP), seeds=1, opset=17)
    assert report.agrees
    out, handed = report.outputs
    assert 0 < out.relative < 1e-5 and out.difference / out.relative < 1000
    assert (handed.name, handed.onnx_shape, handed.difference) == ("handed", "Nx5", 0)


def test_verify_sees_a_small_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from archdsl.backends.onnx import fold

    right = fold._coefficients

    def wrong(node: Any, weights: Any) -> Any:
        factor, shift = right(node, weights)
        return factor * 1.001, shift

    monkeypatch.setattr(fold, "_coefficients", wrong)
    assert not verify(loads(DEEP), seeds=1).agrees


@pytest.mark.parametrize("package", ["torch", "onnx", "onnxruntime"])
def test_verify_without_a_package(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (problem,) = refused(lambda: verify(small()))
    assert isinstance(problem, errors.NeedsPackage)
    assert f"pip install {package}\n" in f"{problem}\n"


def test_only_the_first_seed_runs_all_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers change with the seed, and what a batch needs does not: large networks take long."""
    from archdsl.tools.verify.compare import _Comparison

    batches: list[int] = []
    run = _Comparison._run_both

    def counted(self: Any, module: Any, file: Any, inputs: Any, trial: Any) -> None:
        batches.append(trial.batch)
        run(self, module, file, inputs, trial)

    monkeypatch.setattr(_Comparison, "_run_both", counted)
    report = verify(loads(DEEP), seeds=3)
    assert report.agrees and report.batches == (1, 2, 5)
    assert batches == [1, 2, 5, 1, 1]
