"""Networks in notebooks, and their costs as tables of pandas."""

from __future__ import annotations

import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import archdsl
from archdsl import DiagnosticError
from archdsl.api import notebook

VOID = {"br", "img", "hr"}


class Page(HTMLParser):
    """Reads HTML strictly: every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.images: list[dict[str, str | None]] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.styles += [value or "" for name, value in attrs if name == "style"]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


def shown(thing: object) -> Page:
    return Page(thing._repr_html_())  # type: ignore[attr-defined]


def test_a_network_shows_its_stages_and_its_picture() -> None:
    network = archdsl.load("mobilenet_v2")
    page = shown(network)
    assert "3,504,872 parameters, 300,774,272 MACs, depth 53" in page.text
    assert "image Nx3x224x224 → logits Nx1000" in page.text
    for part in network.table():
        assert f"{part.name}\n{part.kind}\n" in page.text
        assert f"\n{part.params:,}\n{part.macs:,}\n" in page.text
    (image,) = page.images
    head, content = str(image["src"]).split(",", 1)
    assert head == "data:image/svg+xml;base64" and image["alt"] == "The stages of mobilenet_v2"
    assert ElementTree.fromstring(b64decode(content)).tag.endswith("}svg")


def test_colours_are_those_of_the_page() -> None:
    """Neither text nor ground has a colour of its own, so that a dark page is as readable."""
    for thing in (archdsl.load("mobilenet_v2"), archdsl.Spec.open("mobilenet_v2")):
        page = shown(thing)
        assert "script" not in page.tags
        for style in page.styles:
            assert not re.search(r"(?<![-\w])color:(?!inherit)", style)
            for ground in re.findall(r"background:[^;]*", style):
                assert "transparent" in ground


def test_a_spec_shows_what_is_in_it() -> None:
    spec = archdsl.Spec.of_text(
        "block unit(c) { return x -> conv(c) }\n"
        "arch net(width=8) { variants { name width\n small 4\n large 16 }\n"
        " input x: 3x8x8\n return x -> unit(width) }\n"
    )
    assert repr(spec) == "<Spec <text>: net, unit>" and repr(archdsl.Spec.of_text("")).endswith(
        "empty>"
    )
    text = shown(spec).text
    assert "arch\nnet\nsmall, large\n" in text and "block\nunit\n" in text


def test_texts_of_a_spec_are_no_markup() -> None:
    text = (
        'arch net as Net { "<script>alert(1)</script> & \\"q\\" <img src=x onerror=y>"\n'
        " input x: 3x8x8\n return x -> relu }"
    )
    page = shown(archdsl.loads(text))
    assert "script" not in page.tags and len(page.images) == 1
    assert "<script>alert(1)</script> &" in page.text
    spec = shown(archdsl.Spec.of_text("", '<b onclick="x">&\x1b[31m'))
    assert '<b onclick="x">&\\x1b[31m' in spec.text


@pytest.mark.parametrize("stages", [notebook.MOST, notebook.MOST + 1, 2000])
def test_huge_networks_stay_small(stages: int) -> None:
    lines = "\n".join(f"  x{i + 1} = x{i} -> conv(3)" for i in range(stages))
    network = archdsl.loads(f"arch net {{ input x0: 3x8x8\n{lines}\n  return x{stages}\n}}")
    html = network._repr_html_()
    page = Page(html)
    assert len(html) < 120_000 and page.tags.count("tr") <= notebook.MOST + 2
    left_out = stages - notebook.MOST
    assert bool(page.images) == (left_out == 0)
    assert (f"and {left_out:,} more stages" in page.text) == (left_out > 0)


def test_in_a_real_notebook(tmp_path: Path) -> None:
    """A kernel of Jupyter runs it, as a user's would."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    cells = [
        "import archdsl\nnetwork = archdsl.load('mnasnet_a1')\nnetwork",
        "network.spec",
        "import pandas\npandas.DataFrame(network.table())",
        "from archdsl.tools.bench import bench\n"
        "bench(archdsl.load('mnasnet_small'), runtimes=['onnxruntime'], seconds=0.01)",
        "archdsl.loads('arch net { input x: 3x8x8 return x -> cnv(3) }')",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    client.NotebookClient(
        book, timeout=120, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    nbformat.validate(book)
    outputs = [cell.outputs[-1] for cell in book.cells]
    for output, words in zip(outputs, ("MnasNetA1", "mnasnet_a1_140", "body.stage7", "threads")):
        assert output.output_type == "execute_result", output
        assert words in output.data["text/html"]
    assert outputs[0].data["text/plain"].startswith("<Network mnasnet_a1: 3,887,038 parameters")
    wrong = outputs[-1]
    assert wrong.output_type == "error" and wrong.ename == "DiagnosticError"
    told = "\n".join(wrong.traceback)
    assert told.startswith("error[A") and "network.py" not in told


def test_mistakes_in_a_notebook_are_told_alone() -> None:
    with pytest.raises(DiagnosticError) as caught:
        archdsl.loads("arch net {")
    assert "\n".join(caught.value._render_traceback_()) == str(caught.value)


def test_costs_are_tables_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    network = archdsl.load("mnasnet_a1")
    for depth in ("stages", "blocks", "primitives"):
        frame = pandas.DataFrame(network.table(depth, batch=8))
        assert frame.params.sum() == network.params and frame.macs.sum() == network.macs
        assert frame.name.is_unique and str(frame.macs.dtype) == "int64"
    frame = pandas.DataFrame(network.nodes)
    assert [*frame.columns] == ["name", "block", "operation", "shape", "params", "macs"]
    convolutions = frame[frame.operation == "conv"]
    assert 0 < convolutions.macs.sum() < network.macs == frame.macs.sum()
    assert [*pandas.DataFrame(network.blocks).columns][:2] == ["name", "block"]
