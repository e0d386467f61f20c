"""Files of weights as people have them, and as strangers make them: right numbers, or a reason."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import archdsl
from archdsl import cli
from archdsl.diagnostics.diagnostic import DiagnosticError
from archdsl.weights import convert, pickles
from archdsl.weights.files import open_file
from tests.conftest import ROOT

NET = """
arch net {
  input x: 3x8x8
  a = x -> conv(8, k=3, bias=true) -> bn -> relu
  b = a -> conv_transpose(8, k=2, s=2, bias=true) -> relu
  return b -> global_pool -> linear(4)
}
"""


class Net(nn.Module):
    """The same network under names of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        y: torch.Tensor = self.fc(torch.relu(self.up(x)).mean((2, 3)))
        return y


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    model = Net().eval()
    with torch.no_grad():
        model.norm.running_var.uniform_(0.5, 2)
        model.norm.running_mean.uniform_(-1, 1)
    return model


def reasons(action: Callable[[], object]) -> str:
    with pytest.raises(DiagnosticError) as caught:
        action()
    return "\n".join(map(str, caught.value.diagnostics))


def same_as(model: nn.Module, given: Any, **options: Any) -> None:
    network = archdsl.loads(NET)
    tensors = convert(network, given, **options).tensors
    module = network.module().eval()
    module.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()}, strict=True)
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        assert torch.allclose(module(x), model(x), rtol=1e-4, atol=1e-5)


# Weights in parts


def old_weight_norm(model: Net) -> None:
    for layer, dim in ((model.first, 0), (model.up, 1), (model.fc, None)):
        nn.utils.weight_norm(layer, dim=dim)  # type: ignore[arg-type]


def new_weight_norm(model: Net) -> None:
    for layer, dim in ((model.first, 0), (model.up, 0), (model.fc, -1)):
        parametrizations.weight_norm(layer, dim=dim)


def old_spectral_norm(model: Net) -> None:
    for layer in (model.first, model.up, model.fc):
        nn.utils.spectral_norm(layer)


def new_spectral_norm(model: Net) -> None:
    for layer in (model.first, model.up, model.fc):
        parametrizations.spectral_norm(layer)


def pruned(model: Net) -> None:
    prune.l1_unstructured(model.first, "weight", amount=0.5)
    prune.random_unstructured(model.fc, "bias", amount=2)
    prune.ln_structured(model.up, "weight", amount=0.25, n=2, dim=0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("allow_unused", [False, True])
@pytest.mark.parametrize("scale", [1.0, 7.0])
@pytest.mark.parametrize(
    "change", [old_weight_norm, new_weight_norm, old_spectral_norm, new_spectral_norm, pruned]
)
def test_weights_in_parts(
    change: Callable[[Net], None], scale: float, allow_unused: bool, tmp_path: Path
) -> None:
    """The outputs of torch's own layers, in use, after some steps of training."""
    model = net()
    change(model)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01 * scale)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 8, 8)).square().mean().backward()
        optimizer.step()
    model.eval()
    torch.save(model.state_dict(), tmp_path / "w.pt")
    for given in (model.state_dict(), tmp_path / "w.pt"):
        same_as(model, given, allow_unused=allow_unused)


class Doubled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


@pytest.mark.filterwarnings("ignore")
def test_parts_that_are_not_known_are_refused() -> None:
    model = net()
    parametrize.register_parametrization(model.first, "weight", Doubled())
    for state in (
        model.state_dict(),
        {"first.weight_v" if k == "first.weight" else k: v for k, v in net().state_dict().items()},
        {**net().state_dict(), "first.weight_orig": net().first.weight},
    ):
        for allow_unused in (False, True):
            text = reasons(lambda: convert(archdsl.loads(NET), state, allow_unused=allow_unused))  # noqa: B023
            assert "A6034" in text and "`first.weight`" in text
    other = net()
    nn.utils.spectral_norm(other.up)
    state = other.state_dict()
    state["up.weight_u"] = state["up.weight_u"].flip(0) * torch.tensor([1, -1] * 4)
    assert "of another weight" in reasons(lambda: convert(archdsl.loads(NET), state).tensors)


# Checkpoints as people have them


class AsPeopleSave:
    @staticmethod
    def imagenet(model: Net) -> Any:
        adam = torch.optim.Adam(model.parameters())
        model(torch.randn(2, 3, 8, 8)).sum().backward()
        adam.step()
        return {
            "epoch": 3, "arch": "net", "state_dict": model.state_dict(),
            "best_acc1": torch.tensor(71.5), "optimizer": adam.state_dict(),
            "rng_state": torch.get_rng_state(), "loss": np.float64(0.3), "args": Options(),
        }  # fmt: skip

    @staticmethod
    def thop(model: Net) -> Any:
        for layer in (model, *model.children()):
            layer.register_buffer("total_ops", torch.zeros(1, dtype=torch.float64))
            layer.register_buffer("total_params", torch.zeros(1, dtype=torch.float64))
        return model.state_dict()

    @staticmethod
    def averaged(model: Net) -> Any:
        return torch.optim.swa_utils.AveragedModel(model).state_dict()

    @staticmethod
    def parallel(model: Net) -> Any:
        return nn.DataParallel(model).state_dict()

    @staticmethod
    def compiled(model: Net) -> Any:
        return {f"_orig_mod.{k}": v for k, v in model.state_dict().items()}

    @staticmethod
    def lightning(model: Net) -> Any:
        state = {f"model.{k}": v for k, v in model.state_dict().items()}
        loops = {"fit_loop": {"state_dict": {}, "epoch_progress": {"current": {"ready": 1}}}}
        return {"state_dict": state, "loops": loops, "pytorch-lightning_version": "2"}


class Options:
    """What a program was called with: an object of a class that nobody else has."""

    def __init__(self) -> None:
        self.lr = 0.1


WAYS = [name for name in vars(AsPeopleSave) if not name.startswith("_")]


@pytest.mark.parametrize("name", ["w.pth.tar", "w.ckpt", "pytorch_model.bin", "weights"])
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_checkpoints_as_people_have_them(way: str, old: bool, name: str, tmp_path: Path) -> None:
    """By their content, whatever they are called; the graph takes what `convert` takes."""
    model = net()
    content = getattr(AsPeopleSave, way)(model)
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=not old)
    same_as(model, tmp_path / name)
    archdsl.loads(NET).onnx(tmp_path / "net.onnx", weights=tmp_path / name)


def test_the_graph_has_the_same_weights_as_the_module(tmp_path: Path) -> None:
    import onnxruntime

    model = net()
    torch.save({"state_dict": nn.DataParallel(model).state_dict()}, tmp_path / "w.ckpt")
    archdsl.loads(NET).onnx(tmp_path / "net.onnx", weights=tmp_path / "w.ckpt")
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    x = torch.randn(2, 3, 8, 8)
    (found,) = session.run(None, {"x": x.numpy()})
    with torch.no_grad():
        assert np.allclose(found, model(x).numpy(), atol=1e-5)


def test_averages_beside_the_weights(tmp_path: Path) -> None:
    """Two copies of a network are never mixed: one has to be chosen."""
    one, two = net(1), net(2)
    flat = {
        **{f"model.{k}": v for k, v in one.state_dict().items()},
        **{f"ema.{k}": v for k, v in two.state_dict().items()},
    }
    nested = {"model": one.state_dict(), "ema": two.state_dict(), "epoch": 3}
    for i, content in enumerate((flat, nested, {"state_dict": flat})):
        path = tmp_path / f"{i}.ckpt"
        torch.save(content, path)
        text = reasons(lambda: convert(archdsl.loads(NET), path))  # noqa: B023
        assert "A6030" in text and "model, ema" in text
        same_as(one, path, entry="model")
        same_as(two, path, entry="ema")


def test_safetensors_by_content(tmp_path: Path) -> None:
    save_file(net().state_dict(), tmp_path / "w.bin")
    same_as(net(), tmp_path / "w.bin")


# What torch reads, is read


def test_every_form_of_tensor(tmp_path: Path) -> None:
    base = torch.randn(10, 10)
    state = {
        "turned": base.t(), "part": base[2:5, 1::2], "spread": torch.randn(1, 5).expand(4, 5),
        "empty": torch.zeros(0, 3), "bfloat": torch.randn(3, 2).bfloat16(),
        "half": torch.randn(2, 2).half(), "negated": torch._neg_view(torch.randn(4, 3)),
        "number": torch.tensor(3.0), "double": base.double(), "long": torch.arange(4),
        "parameter": nn.Parameter(torch.randn(3)), "small": torch.arange(4).to(torch.uint16),
        "shared": base, "last": base[9],
    }  # fmt: skip
    for old in (False, True):
        torch.save(state, tmp_path / "w", _use_new_zipfile_serialization=not old)
        file = open_file(str(tmp_path / "w"))
        assert list(file.shapes) == list(state)
        for name, tensor in state.items():
            plain = tensor.detach().resolve_neg()
            expected = (plain.float() if plain.dtype is torch.bfloat16 else plain).numpy()
            rows = len(tensor) if tensor.dim() else 1
            assert file.shapes[name] == tuple(tensor.shape)
            assert np.array_equal(file.rows(name, 0, rows), expected), name
            if rows > 1:
                assert np.array_equal(file.rows(name, 1, rows - 1), expected[1 : rows - 1]), name


ODD: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "conjugate complex64": lambda x: x.to(torch.complex64).conj(),
    "sparse float32": lambda x: x.to_sparse(),
    "nested float32": lambda x: torch.nested.nested_tensor([x, x]),
    "quint8": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8),
    "float32 without numbers": lambda x: x.to("meta"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ODD)
def test_odd_tensors_have_a_reason(kind: str, tmp_path: Path) -> None:
    state = dict(net().state_dict())
    state["fc.weight"] = ODD[kind](state["fc.weight"])
    torch.save(state, tmp_path / "w.pt")
    for given in (state, tmp_path / "w.pt"):
        text = reasons(lambda: convert(archdsl.loads(NET), given))  # noqa: B023
        assert kind.split()[-1] in text or "A6021" in text or "A6020" in text, text


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["first.weight", "norm.running_mean", "fc.bias"])
def test_numbers_of_no_use_are_not_converted(name: str, number: float, tmp_path: Path) -> None:
    state = net().state_dict()
    state[name].view(-1)[-1] = number
    torch.save(state, tmp_path / "w.pt")
    found = convert(archdsl.loads(NET), tmp_path / "w.pt")
    text = reasons(lambda: found.save(tmp_path / "out.safetensors"))
    assert f"`{name}` contains numbers that are not finite" in text
    assert os.listdir(tmp_path) == ["w.pt"]


def test_a_negated_tensor_in_memory() -> None:
    model = net()
    state = dict(model.state_dict())
    state["fc.weight"] = torch._neg_view(-state["fc.weight"])
    same_as(model, state)


@pytest.mark.parametrize(
    "counter", [torch.zeros(10), torch.zeros((), dtype=torch.complex64), torch.zeros((1, 2))]
)
def test_odd_counters_have_a_reason(counter: torch.Tensor, tmp_path: Path) -> None:
    torch.save({**net().state_dict(), "norm.num_batches_tracked": counter}, tmp_path / "w.pt")
    text = reasons(lambda: convert(archdsl.loads(NET), tmp_path / "w.pt"))
    assert "A6006" in text and "`norm.num_batches_tracked`" in text
    assert "expected an integer" in text


# Archives that are not what torch wrote


def packed_anew(path: Path, change: Callable[[str, bytes], bytes], method: int) -> None:
    with zipfile.ZipFile(path) as archive:
        records = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in records.items():
            archive.writestr(name, change(name, content))


def shorter(name: str, content: bytes) -> bytes:
    return content[:-4] if name.endswith("data/0") else content


@pytest.mark.parametrize(
    "change, method, reason",
    [
        (lambda _, content: content, zipfile.ZIP_DEFLATED, "is compressed or encrypted"),
        (shorter, zipfile.ZIP_STORED, "bytes, and its record has"),
        (lambda n, c: c + b"abcd" if n.endswith("data/1") else c, zipfile.ZIP_STORED, "record has"),
    ],
)
def test_archives_packed_anew(
    change: Callable[[str, bytes], bytes], method: int, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.pt"
    torch.save(net().state_dict(), path)
    packed_anew(path, change, method)
    assert reason in reasons(lambda: convert(archdsl.loads(NET), path))


def test_an_archive_packed_anew_as_it_was_is_fine(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "w.pt")
    packed_anew(tmp_path / "w.pt", lambda _, content: content, zipfile.ZIP_STORED)
    same_as(net(), tmp_path / "w.pt")


def archive_of(data: bytes, path: Path, **records: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", data)
        for name, content in records.items():
            archive.writestr(f"w/data/{name.lstrip('_')}", content)


class Filled:
    """Unpickled where code runs, it asks for all memory."""

    def __reduce__(self) -> Any:
        return bytearray, (10_000_000_000,)


def bombs() -> dict[str, Callable[[Path], None]]:
    def zeros(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("w/data.pkl", pickle.dumps({}))
            with archive.open("w/data/0", "w", force_zip64=True) as record:
                for _ in range(300):
                    record.write(bytes(10_000_000))

    def header(path: Path) -> None:
        text = b"{" + b",".join(b'"%d":{}' % i for i in range(9_000_000)) + b"}"
        path.write_bytes(struct.pack("<Q", len(text)) + text)

    def nested(path: Path) -> None:
        text = b'{"a":[' + b"[]," * 2_600_000 + b"[]]}"
        path.write_bytes(struct.pack("<Q", len(text)) + text)

    def laughs(path: Path) -> None:
        mapping: dict[str, Any] = {}
        for _ in range(6):
            mapping = {str(i): mapping for i in range(3000)}
        archive_of(pickle.dumps({"a": torch.zeros(0), **mapping}, protocol=2), path)

    def legacy(path: Path) -> None:
        row = (0x1950A86A20F9469CFC6C, 1001, {}, Filled(), [])
        path.write_bytes(b"".join(pickle.dumps(x, protocol=2) for x in row))

    return {
        "compressed": zeros,
        "bytearray": lambda path: archive_of(pickle.dumps({"a": Filled()}), path),
        "bytearray 8": lambda path: archive_of(
            b"\x80\x05\x96" + struct.pack("<Q", 10**10) + b"abc.", path
        ),
        "memo": lambda path: archive_of(b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b".", path),
        "long header": header,
        "many lists": nested,
        "laughs": laughs,
        "legacy": legacy,
    }  # fmt: skip


@pytest.mark.parametrize("bomb", bombs())
def test_bombs(bomb: str, tmp_path: Path) -> None:
    """Refused at once, in little memory."""
    path = (
        tmp_path / "w.safetensors" if bomb in ("long header", "many lists") else tmp_path / "w.pt"
    )
    bombs()[bomb](path)
    (tmp_path / "net.arch").write_text(NET)
    program = (
        "import re, resource, sys; from archdsl import cli\n"
        "status = cli.main(['weights', 'convert', 'net.arch', sys.argv[1]])\n"
        "peak = int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])\n"
        "print(status, peak * 1024, resource.getrusage(resource.RUSAGE_SELF).ru_utime)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path.name], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    status, peak, seconds = done.stdout.split()
    assert (status, "Traceback" in done.stderr) == ("1", False), done.stderr
    assert int(peak) < 512_000_000 and float(seconds) < 10


P2 = b"\x80\x02"
_SAME_HASH = [i * (2**61 - 1) for i in range(20)]
_OF_TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\nq\1((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3"
    b"\0\0\0cpuK\1tQK\0(" + b"K\1" * 64 + b"t(" + b"K\1" * 64 + b"ttq\2"
)


@pytest.mark.parametrize(
    "text, reason",
    [
        (b"}" + b"".join(b"p%d\n" % n for n in _SAME_HASH), "odd numbers"),
        (b"".join(b"cm\n%d\n" % n for n in range(10_001)), "too many things"),
        (b"}" * 4_000_001, "too long"),
        (
            b"ccollections\nOrderedDict\nq\1](" + b"K\1K\1\x86" * 3000 + b"eq\2"
            + b"h\1h\2\x85R0" * 30_000,
            "too long",
        ),
        (_OF_TENSOR + b"h\1h\2R0" * 400_000, "too long"),
    ],
    ids=["hashes of memo", "names", "operations", "ordered again", "sizes again"],
)  # fmt: skip
def test_work_of_a_pickle_is_counted(text: bytes, reason: str, tmp_path: Path) -> None:
    """What is remembered and given to many calls counts at each; numbers choose no hashes."""
    archive_of(P2 + text + b".", tmp_path / "w.pt")
    assert reason in reasons(lambda: convert(archdsl.loads(NET), tmp_path / "w.pt"))


def test_keys_that_are_numbers_are_not_kept() -> None:
    pairs = b"".join(b"\x8a\x0a" + n.to_bytes(10, "little") + b"K\1" for n in _SAME_HASH)
    assert pickles.Reader(P2 + b"}(" + pairs + b"X\1\0\0\0aK\1u.").read() == {"a": 1}


def test_pickles_of_a_file_share_their_work() -> None:
    reader = pickles.Reader((P2 + b"N0" * 1_500_000 + b"}.") * 2)
    reader.read()
    with pytest.raises(pickles.Unreadable, match="too long"):
        reader.read()


def archive_bytes(tmp_path: Path) -> bytes:
    path = tmp_path / "w.pt"
    torch.save(net().state_dict(), path)
    packed_anew(path, lambda _, content: content, zipfile.ZIP_STORED)
    return path.read_bytes()


def _entry_of(content: bytes, name: bytes) -> int:
    """Where the list of records tells of a record."""
    return content.rindex(name) - 46


def _set(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


def lying_archives() -> dict[str, Callable[[bytes], bytes]]:
    def listed(at: int, value: bytes) -> Callable[[bytes], bytes]:
        return lambda c: _set(c, _entry_of(c, b"w/data/1") + at, value)

    def local(at: int, value: bytes) -> Callable[[bytes], bytes]:
        return lambda c: _set(c, c.index(b"w/data/1") - 30 + at, value)

    def hidden_list(content: bytes) -> bytes:
        """The end's own numbers look like another end, which would give a length of 0."""
        end = content.rindex(b"PK\5\6")
        return _set(content, end + 12, b"\xff\xff\xff\x7fPK\5\6")

    return {
        "encrypted": listed(8, b"\1"),
        "encrypted in the header": local(6, b"\1"),
        "another size in the header": local(22, b"\7\0\0\0"),
        "another name in the header": local(30, b"w/data/2"),
        "one record over another": listed(42, bytes(4)),
        "a size of 64 bits that is nowhere": listed(20, b"\xff" * 8),
        "an extra field past the end": listed(30, b"\xff\xff"),
        "twice": lambda c: c.replace(b"w/data/2", b"w/data/1"),
        "bytes before it": lambda c: b"PK\3\4" + c,
        "bytes behind it": lambda c: c + b"abc",
        "a list of other length": lambda c: _set(c, c.rindex(b"PK\5\6") + 10, b"\1"),
        "a hidden list": hidden_list,
    }  # fmt: skip


@pytest.mark.parametrize("lie", lying_archives())
def test_archives_that_say_two_things(lie: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    whole = archive_bytes(tmp_path)
    changed = lying_archives()[lie](whole)
    assert changed != whole
    path.write_bytes(changed)
    assert "A6003" in reasons(lambda: convert(archdsl.loads(NET), path))


def test_long_names_are_cut_in_messages(tmp_path: Path) -> None:
    text = json.dumps({"a" * 1_000_000: {}}).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    told = reasons(lambda: convert(archdsl.loads(NET), tmp_path / "w.safetensors"))
    assert "A6002" in told and len(told) < 1000


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("form", ["zip", "old", "safetensors"])
def test_damaged_files(
    form: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Cut, flipped, headers edited: read, or refused with a reason; never a crash."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "w.bin"
    if form == "safetensors":
        save_file(net().state_dict(), path)
    else:
        torch.save(net().state_dict(), path, _use_new_zipfile_serialization=form == "zip")
    (tmp_path / "net.arch").write_text(NET)
    whole = path.read_bytes()
    choose = random.Random(f"{form}{seed}")
    outcomes = set()
    for _ in range(20):
        content = bytearray(whole)
        kind = choose.choice(["cut", "flip", "header", "bytes", "swap"])
        if kind == "cut":
            del content[choose.randrange(len(content)) :]
        elif kind == "swap":
            a, b = sorted(choose.sample(range(len(content)), 2))
            content[a:b] = content[b : b + (b - a)]
        for _ in range(choose.randint(1, 8) if kind in ("flip", "header", "bytes") else 0):
            at = choose.randrange(len(content) if kind == "flip" else min(2500, len(content)))
            content[at] = content[at] ^ 1 << choose.randrange(8) if kind != "bytes" else 0xFF
        path.write_bytes(content)
        status = cli.main(["weights", "convert", "net.arch", path.name])
        told = capsys.readouterr().err
        assert status in (0, 1) and "Traceback" not in told, told
        outcomes.add(status)
    assert 1 in outcomes


def edits() -> list[Callable[[dict[str, Any]], None]]:
    def every(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
        return lambda entry: entry.update({key: value})

    values = [None, -1, 2**62, 1.5, True, "a", [], [0], [0, 0], [0, 10**30], {}, ["a"], [1] * 99]
    keys = ("dtype", "shape", "data_offsets")
    return [every(key, value) for key in keys for value in values]


@pytest.mark.parametrize("edit", edits())
def test_edited_headers(edit: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(net().state_dict(), path)
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    edit(header["first.weight"])
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    assert "A6002" in reasons(lambda: convert(archdsl.loads(NET), path))


def test_other_archives_have_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.jit.save(torch.jit.trace(net(), torch.randn(1, 3, 8, 8)), path)
    assert "TorchScript" in reasons(lambda: convert(archdsl.loads(NET), path))
    import tarfile

    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"), io.BytesIO())
    assert "tar archive" in reasons(lambda: convert(archdsl.loads(NET), path))
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("hello.txt", "hello")
    assert "zip archive without a checkpoint" in reasons(lambda: convert(archdsl.loads(NET), path))


# Names


@pytest.mark.parametrize(
    "name", ["a\nb", "a -> b", "-", '"a"', "a #b", "#a", "a b", "ü", "a\x1b[31m", "\u202eb", "a\\"]
)
def test_names_of_any_characters_are_maps(name: str, tmp_path: Path) -> None:
    """What is printed says the same again, whatever the names."""
    state = {
        k.replace("first", name).replace("fc", f"{name}{name}"): v
        for k, v in net().state_dict().items()
    }
    found = convert(archdsl.loads(NET), state)
    lines = [*found.lines()]
    assert all(line.isprintable() for line in lines) and len(lines) == 4
    (tmp_path / "w.map").write_text("\n".join(lines))
    again = convert(archdsl.loads(NET), state, map=tmp_path / "w.map")
    assert again.mapping == found.mapping
    assert found.mapping[f"{name}.weight"] == "a.0.weight"
