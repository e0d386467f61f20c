"""Weights of ONNX files: drawn, read, refused; files written whole or not at all; the commands."""

from __future__ import annotations

import builtins
import json
import os
import pickle
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from archdsl.api.network import load, loads
from archdsl.backends.onnx import write as writing
from archdsl.diagnostics import errors
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.support import atomic as whole
from tests.conftest import Command
from tests.onnx_tools import checked, close, inputs_of, run, state_of, stored, weights_in

NET = """
arch net(std=0.5) {
  input x: 8x6x6
  default conv(init=normal(std))
  a = x -> conv(64, k=3, groups=4, bias=true) -> bn -> relu
  b = a -> conv(64, k=3, init=kaiming_uniform(fan_out)) -> bn(init=zeros)
  c = a + b -> scale(init=0.5) -> global_pool -> linear(32, init=truncated_normal(1))
  side = a -> conv(3)
  return c, side if training
}
"""


def small() -> Any:
    return loads(NET)


def refused(action: Callable[[], object]) -> list[errors.Diagnostic]:
    with pytest.raises(DiagnosticError) as caught:
        action()
    for problem in caught.value.diagnostics:
        assert str(problem)
    return caught.value.diagnostics


# Drawn weights


def test_random_weights_follow_the_scheme(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    small().onnx(path, fold=False)
    mine = weights_in(onnx.load(path))
    torch.manual_seed(0)
    module = small().module()
    for name, tensor in module.state_dict().items():
        if name.startswith("side") or name.endswith("tracked"):
            assert name not in mine
            continue
        other = tensor.numpy()
        assert mine[name].size == other.size, name
        if other.size < 32 or other.std() == 0:
            assert np.allclose(mine[name].ravel(), other.ravel(), atol=1) and (
                other.std() > 0 or np.array_equal(mine[name].ravel(), other.ravel())
            )
            continue
        assert abs(mine[name].std() / other.std() - 1) < 0.35, name
        assert abs(np.abs(mine[name]).max() / np.abs(other).max() - 1) < 0.5, name
    assert np.abs(mine["c.3.weight"]).max() <= 2


def test_a_tensor_depends_on_the_seed_and_its_name_alone(tmp_path: Path) -> None:
    one, two, three = (tmp_path / f"{i}.onnx" for i in range(3))
    small().onnx(one, fold=False)
    loads(NET.replace("b = a", "extra = a -> conv(64) -> relu\n  b = extra")).onnx(two, fold=False)
    small().onnx(three, fold=False, seed=1)
    first, second, third = (weights_in(onnx.load(p)) for p in (one, two, three))
    assert np.array_equal(first["b.0.weight"], second["b.0.weight"])
    assert not np.array_equal(first["b.0.weight"], third["b.0.weight"])
    assert not np.array_equal(first["a.0.weight"].ravel()[:9], first["b.0.weight"].ravel()[:9])


def test_pieces_are_the_whole() -> None:
    from archdsl.ops import Word
    from archdsl.weights import sources as weights
    from archdsl.weights.sources import Declared, Drawn

    tensors = {"w": Declared((300, 1000), Word("normal", (1.0,)), True)}
    pieces = [*Drawn(tensors, 0).pieces("w")]
    assert len(pieces) > 1 and sum(map(len, pieces)) == 300
    assert all(piece.size <= weights.PIECE for piece in pieces)


def test_no_weights_are_inputs(tmp_path: Path) -> None:
    net = small()
    path = tmp_path / "net.onnx"
    net.onnx(path, weights=False)
    model = checked(path)
    names = [v.name for v in model.graph.input]
    state = state_of(net.graph)
    assert names[0] == "x"
    assert set(names[1:]) == {
        n for n in state if not n.endswith("tracked") and not n.startswith("side")
    }
    feeds = [state[n].numpy() for n in names[1:]]
    shapes = [[d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input[1:]]
    feeds = [f.reshape(s) for f, s in zip(feeds, shapes, strict=True)]
    weights = tmp_path / "w.safetensors"
    save_file(state, weights)
    other = tmp_path / "other.onnx"
    net.onnx(other, weights=weights)
    inputs = inputs_of(net.graph)
    close(run(path, [*inputs, *feeds]), run(other, inputs))
    net.onnx(path, weights=False, fold=True)
    folded = [v.name for v in checked(path).graph.input]
    assert "a.1.weight" not in folded and "b.0.bias" in folded


# Files of weights


@pytest.mark.parametrize("ending", ["safetensors", "pt", "pth", "old.pt"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_files(ending: str, dtype: torch.dtype, tmp_path: Path) -> None:
    net = small()
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state_of(net.graph).items()}
    weights = tmp_path / f"w.{ending}"
    if ending == "safetensors":
        save_file(state, weights, metadata={"format": "pt"})
    else:
        torch.save(state, weights, _use_new_zipfile_serialization=ending != "old.pt")
    path, other = tmp_path / "net.onnx", tmp_path / "other.onnx"
    net.onnx(path, weights=weights)
    net.onnx(other, weights=state)
    mine, theirs = weights_in(onnx.load(path)), weights_in(onnx.load(other))
    assert mine.keys() == theirs.keys()
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
    net.onnx(path, weights=weights, fold=False)
    assert np.array_equal(
        weights_in(onnx.load(path))["b.0.weight"], state["b.0.weight"].float().numpy()
    )


def test_folding_is_exact(tmp_path: Path) -> None:
    net = small()
    weights, path = tmp_path / "w.safetensors", tmp_path / "net.onnx"
    state = {k: v.double() for k, v in stored(net.graph, weights).items()}
    net.onnx(path, weights=weights)
    mine = weights_in(onnx.load(path))
    factor = state["a.1.weight"] / (state["a.1.running_var"] + 1e-5).sqrt()
    bias = (state["a.0.bias"] - state["a.1.running_mean"]) * factor + state["a.1.bias"]
    weight = state["a.0.weight"] * factor[:, None, None, None]
    assert np.array_equal(mine["a.0.weight"], weight.float().numpy())
    assert np.allclose(mine["a.0.bias"], bias.float().numpy(), rtol=1e-6, atol=1e-7)


def test_all_that_does_not_fit_is_told(tmp_path: Path) -> None:
    net = small()
    state = state_of(net.graph)
    state["c.3.wieght"] = state.pop("c.3.weight")
    del state["a.1.running_mean"], state["b.1.num_batches_tracked"], state["side.weight"]
    state["a.0.weight"] = torch.zeros(64, 2, 5, 5)
    state["a.0.bias"] = torch.zeros(64, dtype=torch.int64)
    weights, path = tmp_path / "w.safetensors", tmp_path / "net.onnx"
    save_file(state, weights)
    problems = refused(lambda: net.onnx(path, weights=weights))
    texts = [str(problem) for problem in problems]
    assert sorted(p.code for p in problems) == ["A6004", "A6004", "A6005", "A6006", "A6006"]
    assert any("lacks `c.3.weight`, 32x64" in t and "`c.3.wieght`" in t for t in texts)
    assert any("lacks `a.1.running_mean`, 64" in t for t in texts)
    assert any("has `c.3.wieght`, 32x64, but the network does not" in t for t in texts)
    assert any("`a.0.weight` is 64x2x5x5 of float32; expected 64x2x3x3" in t for t in texts)
    assert any("`a.0.bias` is 64 of int64" in t for t in texts)
    assert not path.exists()


def header(content: Any, numbers: bytes = b"") -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + numbers


F32 = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
LIES = {
    "empty": b"",
    "short": b"\1\0",
    "too_long": struct.pack("<Q", 2**60) + b"{}",
    "longer_than_file": struct.pack("<Q", 50) + b"{}",
    "no_json": header(b"nonsense"),
    "not_utf8": header(b'{"\xff": 1}'),
    "deep": header(b"[" * 200_000 + b"]" * 200_000),
    "a_list": header([]),
    "no_shape": header({"w": {"dtype": "F32"}}),
    "a_number": header({"w": 3}),
    "unknown_type": header({"w": {**F32, "dtype": "F7"}}, bytes(8)),
    "type_no_text": header({"w": {**F32, "dtype": ["F32"]}}, bytes(8)),
    "negative": header({"w": {**F32, "shape": [-2]}}, bytes(8)),
    "huge": header({"w": {**F32, "shape": [2**61, 2**61]}}, bytes(8)),
    "floats": header({"w": {**F32, "shape": [2.0]}}, bytes(8)),
    "truth": header({"w": {**F32, "shape": [True, 2]}}, bytes(8)),
    "wrong_size": header({"w": {**F32, "shape": [3]}}, bytes(8)),
    "backwards": header({"w": {**F32, "data_offsets": [8, 0]}}, bytes(8)),
    "one_offset": header({"w": {**F32, "data_offsets": [0]}}, bytes(8)),
    "past_the_end": header({"w": F32}, bytes(4)),
    "left_over": header({"w": F32}, bytes(12)),
    "overlap": header({"w": F32, "v": {**F32, "data_offsets": [4, 12]}}, bytes(12)),
    "gap": header({"w": F32, "v": {**F32, "data_offsets": [12, 20]}}, bytes(20)),
    "twice": header(b'{"w": {}, "w": {}}'),
}


@pytest.mark.parametrize("lie", LIES)
def test_lying_safetensors(lie: str, tmp_path: Path) -> None:
    weights, path = tmp_path / "w.safetensors", tmp_path / "net.onnx"
    weights.write_bytes(LIES[lie])
    (problem,) = refused(lambda: small().onnx(path, weights=weights))
    assert isinstance(problem, errors.NotSafetensors)
    assert not path.exists()


def with_weight(tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """The tensors of the small network, one of them replaced."""
    return {**state_of(small().graph), "b.0.weight": tensor}


KINDS_OF_NUMBERS = {
    "int32": torch.zeros(64, 64, 3, 3, dtype=torch.int32),
    "complex64": torch.zeros(64, 64, 3, 3, dtype=torch.complex64),
    "float8_e4m3fn": torch.zeros(64, 64, 3, 3).to(torch.float8_e4m3fn),
    "sparse float32": torch.zeros(64, 64, 3, 3).to_sparse(),
    "float32 without numbers": torch.zeros(64, 64, 3, 3, device="meta"),
}


@pytest.mark.parametrize("kind", KINDS_OF_NUMBERS)
def test_other_kinds_of_numbers(kind: str, tmp_path: Path) -> None:
    state, path = with_weight(KINDS_OF_NUMBERS[kind]), tmp_path / "net.onnx"
    files: list[Any] = [state, tmp_path / "w.pt"]
    torch.save(state, files[1])
    if " " not in kind:
        files.append(tmp_path / "w.safetensors")
        save_file(state, files[2])
    for weights in files:
        (problem,) = refused(lambda w=weights: small().onnx(path, weights=w))  # type: ignore[misc]
        assert isinstance(problem, errors.MisshapenWeight)
        told = "8-bit floats" if kind.startswith("float8") and weights is files[-1] else kind
        assert f"`b.0.weight` is 64x64x3x3 of {told};" in str(problem)
    assert not path.exists()


def test_what_is_no_state_dict(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    for weights in (42, None, [], b"w.pt"):
        (problem,) = refused(lambda w=weights: small().onnx(path, weights=w))  # type: ignore[misc]
        assert isinstance(problem, errors.UnknownOption)
    problems = refused(lambda: small().onnx(path, weights={"epoch": 3, 7: "seven"}))  # type: ignore[dict-item]
    texts = list(map(str, problems))
    assert any("`epoch`, a single number" in text for text in texts)
    assert any("`7`" in text for text in texts)
    assert any("lacks `b.0.weight`" in text for text in texts)


@pytest.mark.parametrize("name", ["b.0.weight", "a.0.bias", "a.1.running_var", "c.3.weight"])
@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.filterwarnings("error")
def test_numbers_of_no_use(name: str, number: float, fold: bool, tmp_path: Path) -> None:
    state = state_of(small().graph)
    state[name].view(-1)[-1] = number
    weights, path = tmp_path / "w.safetensors", tmp_path / "net.onnx"
    save_file(state, weights)
    (problem,) = refused(lambda: small().onnx(path, weights=weights, fold=fold))
    assert isinstance(problem, errors.UselessNumbers)
    assert f"w.safetensors: `{name}` contains numbers that are not finite" in str(problem)
    assert os.listdir(tmp_path) == ["w.safetensors"]


@pytest.mark.filterwarnings("error")
def test_variances_below_0(tmp_path: Path) -> None:
    state = state_of(small().graph)
    state["a.1.running_var"][5] = -0.1
    state["a.1.running_mean"][5] = -0.1
    for fold in (True, False):
        (problem,) = refused(lambda f=fold: small().onnx(tmp_path / "n", weights=state, fold=f))  # type: ignore[misc]
        assert "`a.1.running_var` contains variances below 0" in str(problem)
    state["side.weight"][0] = float("nan")  # for training alone: nobody looks
    state["a.1.running_var"][5] = 0
    small().onnx(tmp_path / "net.onnx", weights=state)


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    code = tmp_path / "code.pt"
    torch.save({"a": print}, code)
    nested = tmp_path / "nested.pth"
    torch.save({"epoch": 3, "state_dict": {"a": torch.zeros(3, 2)}}, nested)
    text = tmp_path / "text.pt"
    text.write_text("hello")
    unknown = tmp_path / "weights.h5"
    unknown.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    for weights, kind in (
        (code, errors.NotACheckpoint),
        (text, errors.NotACheckpoint),
        (unknown, errors.UnknownWeights),
        (tmp_path / "none.safetensors", errors.NoSuchFile),
        (tmp_path / "none.pt", errors.NoSuchFile),
    ):
        (problem,) = refused(lambda w=weights: small().onnx(path, weights=w))  # type: ignore[misc]
        assert isinstance(problem, kind), weights
        assert not path.exists()
    assert {type(p) for p in refused(lambda: small().onnx(path, weights=nested))} == {
        errors.MissingWeight, errors.SurplusWeight
    }  # fmt: skip
    folder = tmp_path / "folder.pt"
    folder.mkdir()
    (problem,) = refused(lambda: small().onnx(path, weights=folder))
    assert isinstance(problem, errors.NoSuchFile)


class Malicious:
    """A pickle of it runs a command where it is unpickled."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self._target}",)


@pytest.mark.filterwarnings("error")
def test_no_code_of_a_checkpoint_runs(tmp_path: Path) -> None:
    target, path = tmp_path / "harm", tmp_path / "net.onnx"
    state = {**state_of(small().graph), "more": Malicious(target)}
    one, two, module, short = (tmp_path / f"{i}.pt" for i in range(4))
    torch.save(state, one)
    two.write_bytes(pickle.dumps(Malicious(target)))
    torch.save(small().module(), module)
    torch.save(state_of(small().graph), short)
    short.write_bytes(short.read_bytes()[:-400])
    for weights, reason in (
        (one, f"requires `{os.system.__module__}.system`"),
        (two, "pickle without a checkpoint"),
        (module, "Net`, but only tensors are loaded"),
        (short, "its archive is cut short"),
    ):
        (problem,) = refused(lambda w=weights: small().onnx(path, weights=w))  # type: ignore[misc]
        assert isinstance(problem, errors.NotACheckpoint) and reason in str(problem)
        assert "False" not in str(problem) and "\x1b" not in str(problem)
    assert not target.exists() and not path.exists()


def test_numbers_beyond_a_type(tmp_path: Path) -> None:
    net = small()
    state = state_of(net.graph)
    state["c.3.weight"][3, 5] = 1e6
    path = tmp_path / "net.onnx"
    (problem,) = refused(lambda: net.onnx(path, weights=state, dtype="float16"))
    assert "`c.3.weight`" in str(problem) and not path.exists()
    assert os.listdir(tmp_path) == []
    net.onnx(path, weights=state, dtype="bfloat16")
    assert "--dtype" in str(problem)
    state = {name: tensor.double() for name, tensor in state.items()}
    for number, dtype in ((1e300, "float32"), (1e300, "bfloat16"), (3.4e38, "bfloat16")):
        state["c.3.weight"][3, 5] = number
        (problem,) = refused(lambda d=dtype: net.onnx(tmp_path / "n", weights=state, dtype=d))  # type: ignore[misc]
        assert f"do not fit into {dtype}" in str(problem) and "--dtype" not in str(problem)
    net.onnx(path, weights=state)


# Files that are written


@pytest.mark.parametrize("choice", ["always", "auto"])
def test_external_data(choice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LARGEST_BY_CHOICE", 1000)
    net = load("squeezenet1_1")
    path, other = tmp_path / "net.onnx", tmp_path / "other.onnx"
    net.onnx(path, external_data=choice)
    net.onnx(other, external_data="never")
    assert sorted(os.listdir(tmp_path)) == ["net.onnx", "net.onnx.data", "other.onnx"]
    assert path.stat().st_size < 60_000
    model = checked(path)
    assert all(
        t.data_location == onnx.TensorProto.DEFAULT for t in model.graph.initializer
    )  # loaded by now
    inputs = inputs_of(net.graph, 1)
    assert np.array_equal(run(path, inputs)[0], run(other, inputs)[0])
    mine, theirs = weights_in(onnx.load(path)), weights_in(onnx.load(other))
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)


def test_too_large_for_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LARGEST_FILE", 1000)
    (problem,) = refused(lambda: small().onnx(tmp_path / "net.onnx", external_data="never"))
    assert isinstance(problem, errors.TooLargeForOneFile)
    assert os.listdir(tmp_path) == []


class FullDisk:
    """A file on a disk with so much room."""

    def __init__(self, file: Any, room: int) -> None:
        self._file = file
        self._room = room

    def write(self, content: Any) -> int:
        self._room -= memoryview(content).nbytes
        if self._room < 0:
            raise OSError(28, "No space left on device")
        written: int = self._file.write(content)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("external", ["never", "always"])
@pytest.mark.parametrize("room", [0, 5000, 60_000])
def test_a_full_disk(
    external: str, room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.onnx"
    small().onnx(path, external_data=external)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    opened = builtins.open
    monkeypatch.setattr(whole, "open", lambda *a: FullDisk(opened(*a), room), raising=False)
    (problem,) = refused(lambda: small().onnx(path, seed=9, external_data=external))
    assert isinstance(problem, errors.CannotWrite) and "No space left" in str(problem)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


def test_the_second_file_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.onnx"
    moved = os.replace

    def replace(source: str, target: str) -> None:
        if target == str(path):
            raise OSError(13, "Permission denied")
        moved(source, target)

    monkeypatch.setattr(whole.os, "replace", replace)
    refused(lambda: small().onnx(path, external_data="always"))
    assert os.listdir(tmp_path) == []
    monkeypatch.setattr(whole.os, "replace", moved)
    small().onnx(path, external_data="always")
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    monkeypatch.setattr(whole.os, "replace", replace)
    refused(lambda: small().onnx(path, seed=1, external_data="always"))
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


def test_no_such_folder(tmp_path: Path) -> None:
    (problem,) = refused(lambda: small().onnx(tmp_path / "none" / "net.onnx"))
    assert isinstance(problem, errors.CannotWrite)


@pytest.mark.parametrize("path", ["", "folder", "folder/", "none/"])
@pytest.mark.parametrize("external", ["never", "always"])
def test_a_folder(
    path: str, external: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    (problem,) = refused(lambda: small().onnx(path, external_data=external))
    assert isinstance(problem, errors.CannotWrite)
    assert os.listdir() == ["folder"] and os.listdir("folder") == []


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="needs devices")
def test_a_device(tmp_path: Path) -> None:
    small().onnx("/dev/null")
    (problem,) = refused(lambda: small().onnx("/dev/null", external_data="always"))
    assert "null is no regular file" in str(problem) and not os.path.exists("/dev/null.data")
    (tmp_path / "net.onnx.data").mkdir()
    (problem,) = refused(lambda: small().onnx(tmp_path / "net.onnx", external_data="always"))
    assert "net.onnx.data is no regular file" in str(problem)
    assert os.listdir(tmp_path) == ["net.onnx.data"]


# Options


@pytest.mark.parametrize("opset", [-1, 12, 29, 999])
def test_unknown_opset(opset: int, tmp_path: Path) -> None:
    (problem,) = refused(lambda: small().onnx(tmp_path / "net.onnx", opset=opset))
    assert isinstance(problem, errors.UnknownOpset) and "13 to 28" in str(problem)


def test_unknown_options_are_told_together(tmp_path: Path) -> None:
    problems = refused(
        lambda: small().onnx(tmp_path / "n.onnx", dtype="int8", dynamic="all", external_data="no")
    )
    assert [p.code for p in problems] == ["A6014"] * 3


def test_bfloat16_needs_a_newer_opset(tmp_path: Path) -> None:
    (problem,) = refused(lambda: small().onnx(tmp_path / "n.onnx", dtype="bfloat16", opset=20))
    assert "22" in str(problem)


FIXED = {
    "flatten": "x -> flatten -> linear(3)",
    "reshape": "x -> reshape((4, -1))",
    "avg_pool": "x -> avg_pool(out=3)",
    "permute": "x -> permute((1, 0, 2)) -> layer_norm",
    "resize": "x -> resize(scale=1.5)",
    "add": "x + (x -> resize(size=8))",
    "max_pool": "x -> max_pool(2, s=3, p=1, ceil=true)",
}


@pytest.mark.parametrize("operation", FIXED)
def test_a_line_that_fixes_the_size(operation: str, tmp_path: Path) -> None:
    net = loads(f"arch net {{\n input x: 4x8x8\n y = {FIXED[operation]}\n return y\n}}")
    (problem,) = refused(lambda: net.onnx(tmp_path / "net.onnx", dynamic="spatial"))
    assert isinstance(problem, errors.SizeIsFixed)
    assert f"`{operation}` fixes the input size" in str(problem) and ":3:" in str(problem)
    assert os.listdir(tmp_path) == []


def test_an_opset_that_lacks_it(tmp_path: Path) -> None:
    pool = "avg_pool(3, s=2, p=1, ceil=true, count_include_pad=true)"
    net = loads(f"arch net {{\n input x: 4x8x8\n y = x -> {pool}\n return y\n}}")
    action = lambda: net.onnx(tmp_path / "n.onnx", dynamic="spatial", opset=18)  # noqa: E731
    (problem,) = refused(action)
    assert isinstance(problem, errors.NoLowering) and "opset 18" in str(problem)


# The commands


def test_command(command: Command, tmp_path: Path) -> None:
    done = command("onnx", "squeezenet1_1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "squeezenet1_1.onnx: 65 nodes\n"
    checked(tmp_path / "squeezenet1_1.onnx")
    options = "--opset 17 --seed 3 --keep-bn --dtype float16 --dynamic spatial".split()
    options += "--external-data always --functions".split()
    done = command("onnx", "mobilenet_v2", "-o", "n.onnx", "--variant", "mobilenet_v2_140",
                   "--set", "num_classes=5", *options)  # fmt: skip
    assert done.returncode == 0, done.stderr
    model = onnx.load(tmp_path / "n.onnx")
    told = {p.key: p.value for p in model.metadata_props}
    assert told["archdsl.options"] == " ".join(options)


def test_command_refuses(command: Command, tmp_path: Path) -> None:
    (tmp_path / "choice.arch").write_text(
        "arch choice {\n input x: 3x8x8\n y = x -> stages {\n  block c k\n  conv 8 {3, 5}\n }\n"
        " return y\n}\n"
    )
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    for arguments, status, text in (
        (["onnx", "choice.arch"], 1, "unresolved choice"),
        (["onnx", "resnext50", "--opset", "12"], 1, "opset 12"),
        (["onnx", "resnext50", "--weights", "w.safetensors"], 1, "safetensors"),
        (["onnx", "resnext50", "-o", "none/net.onnx"], 1, "cannot write"),
        (["onnx", "resnext50", "-o", "-"], 1, "cannot write"),
        (["onnx", "choice.arch", "-o", "choice.arch"], 1, "the spec itself"),
        (["onnx", "resnext50", "--dtype", "int8"], 2, "invalid choice"),
        (["onnx", "resnext50", "--seed", "-1"], 2, "-1 is negative"),
        (["onnx", "resnext50", "--seed", "1", "--no-weights"], 2, "not allowed"),
    ):
        done = command(*arguments)
        if arguments[-1] == "choice.arch" and "-o" in arguments:
            status, text = 1, "error["
        assert done.returncode == status, (arguments, done.stderr)
        assert text in done.stderr and "Traceback" not in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["choice.arch", "w.safetensors"]


def test_no_torch_and_no_onnx_is_imported(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys\nfrom archdsl.api.network import load\n"
        "load('squeezenet1_1').onnx('net.onnx', functions=True)\n"
        "print(sorted({'torch', 'onnx', 'safetensors', 'ml_dtypes'} & set(sys.modules)))"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(root)}, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_small(tmp_path: Path) -> None:
    """160 MB of weights in less than 120 MB of memory, python and numpy included."""
    import subprocess

    spec = tmp_path / "big.arch"
    spec.write_text(
        "arch big {\n input x: 4000x1\n y = x -> conv(4000) -> bn -> relu -> conv(4000)\n"
        " z = y -> conv(500)\n return z\n}\n"
    )
    code = (
        "from archdsl.cli import main\n"
        "assert main(['onnx', 'big.arch', '--external-data', 'always']) == 0\n"
        "print(next(x for x in open('/proc/self/status') if 'VmHWM' in x).split()[1])"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(root)}, check=True,
    )  # fmt: skip
    assert (tmp_path / "big.onnx.data").stat().st_size > 130_000_000
    assert int(done.stdout.split()[-1]) < 120_000
