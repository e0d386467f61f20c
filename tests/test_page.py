"""Pages in a real browser: clicks, keys, searching, light and dark, narrow screens, speed.

Chromium comes from the system. Where it is missing these tests are skipped, on CI they fail.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.ir.graph import Graph
from archdsl.ir.parts import DEPTHS
from archdsl.reports.view.boxes import boxes_of
from archdsl.reports.view.depths import opened
from archdsl.reports.view.drawing import draw
from archdsl.reports.view.geometry import Geometry
from archdsl.support import escaping
from tests.pictures import ALL, CONSTRUCTS, graph, title
from tests.test_escaping import PIECES
from tests.test_view import HOSTILE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"),
        reason="no Chromium: apt-get install chromium",
    ),
    pytest.mark.xdist_group("browser"),
]

Show = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Show]:
    """`show(graph)` is its page in a browser; nothing may go wrong in it, or be asked for."""
    contexts, trouble = [], []

    def show(network: Graph, depth: str = "stages", **options: Any) -> Any:
        path = tmp_path / "net.html"
        path.write_text(draw(network, "html", depth), encoding="utf-8")
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        page.on(
            "request", lambda request: trouble.append(request.url) if trouble_in(request) else 0
        )
        page.goto(path.as_uri())
        return page

    def trouble_in(request: Any) -> bool:
        return not request.url.startswith("file:") or not request.url.endswith("/net.html")

    yield show
    assert trouble == []
    for context in contexts:
        context.close()


def box(page: Any, name: str) -> Any:
    """The box that is told to begin with this name."""
    return page.locator(f'[role=treeitem][aria-label^="{name},"]')


def fold(page: Any, name: str) -> None:
    """Click on what opens and closes a box."""
    box(page, name).locator("> .lines .fold").click()


def details(page: Any) -> str:
    return str(page.locator("#details").inner_text())


MNASNET, RESNET = ("mnasnet_a1", "mnasnet_a1"), ("resnet50", "resnet50")


# It shows what the picture shows

PLACES = """() => {
  const net = document.getElementById("net").getBoundingClientRect();
  const place = (e) => {
    const r = e.getBoundingClientRect();
    return [r.left - net.left, r.top - net.top, r.width, r.height];
  };
  return {
    boxes: [...document.querySelectorAll(".box, .port")].map(place),
    ways: [...document.querySelectorAll(".way")].map((e) => {
      const from = e.getPointAtLength(0), to = e.getPointAtLength(e.getTotalLength());
      const svg = e.ownerSVGElement.getBoundingClientRect();
      return [from.x + svg.left - net.left, from.y + svg.top - net.top,
              to.x + svg.left - net.left, to.y + svg.top - net.top, e.getTotalLength()];
    }),
    shapes: [...document.querySelectorAll(".shape")].map((e) => e.textContent),
  };
}"""


SPECS = ("nas_fpn", "squeezenet1_1", "xception", "mnasnet_a1")
PLACED = [*[(name, name) for name in SPECS], *CONSTRUCTS[::10]]


@pytest.mark.parametrize("which", PLACED, ids=title)
def test_boxes_and_edges_are_where_the_picture_has_them(show: Show, which: Any) -> None:
    network = graph(which)
    top = boxes_of(network)
    geometry = Geometry(top, opened(top, "primitives"))
    found = show(network, "primitives").evaluate(PLACES)
    spots = [
        [spot.x, spot.y, spot.width, spot.height]
        if box.form != "port" or box.name
        else [spot.axis - spot.height / 2, spot.y, spot.height, spot.height]
        for box, spot in geometry.spots.items()
        if box is not top
    ]
    assert_alike(found["boxes"], spots)
    lengths = [path.split("M")[1].split("L")[0].split() for _, path in geometry.paths]
    starts = [list(map(float, start)) for start in lengths]
    ends = [list(map(float, path.rpartition("L")[2].split())) for _, path in geometry.paths]
    assert_alike([way[:4] for way in found["ways"]], [a + b for a, b in zip(starts, ends)])
    assert sorted(found["shapes"]) == sorted(edge.shape for edge, _, _ in geometry.labels)


def assert_alike(found: list[list[float]], wanted: list[list[float]]) -> None:
    """Both lists hold the same, in whatever order, to half a pixel."""
    assert len(found) == len(wanted)
    left = sorted(found)
    for place in sorted(wanted):
        near = [p for p in left if max(abs(a - b) for a, b in zip(p, place)) < 0.6]
        assert near, place
        left.remove(near[0])


def test_texts_fit(show: Show) -> None:
    """Names of boxes are not cut, in a font as wide as any."""
    page = show(graph(("nas_fpn", "nas_fpn_resnet50")))
    cut = """() => [...document.querySelectorAll(".name, .amount, .count")]
      .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1)
      .map((e) => e.textContent)"""
    assert page.evaluate(cut) == []


# Pointing


def test_clicks_open_and_close(show: Show) -> None:
    page = show(graph(RESNET))
    shown = page.locator("[role=treeitem]")
    assert shown.count() == 9 and box(page, "body.c3").get_attribute("aria-expanded") == "false"
    fold(page, "body.c3")
    assert box(page, "body.c3").get_attribute("aria-expanded") == "true" and shown.count() == 13
    box(page, "body.c3.0").dblclick()
    assert shown.count() == 13 + 12 and page.locator(".sign").inner_text() == "+"
    fold(page, "body.c3")
    assert shown.count() == 9
    fold(page, "body.c3")  # what was open in it still is
    assert shown.count() == 13 + 12


def test_what_is_clicked_stays_where_it_was(show: Show) -> None:
    page = show(graph(RESNET))
    fold(page, "body.c2")
    before = box(page, "body.c3").bounding_box()
    fold(page, "body.c3")
    after = box(page, "body.c3").bounding_box()
    assert abs(after["y"] - before["y"]) < 2


def test_a_click_tells_all_of_a_box(show: Show) -> None:
    page = show(graph(RESNET), "primitives")
    assert "Choose a box" in details(page)
    page.locator('[aria-label^="conv, c=128 k=3 s=2"]').click()
    said = details(page)
    for text in (
        "body.c3.0.main.3", "operation conv", "128x56x56", "128x28x28", "147,456",
        "(0.58 %)", "115,605,504", "body.c3.0.main.3.weight", "128x128x3x3",
        "Spec, std/bottleneck.arch:", "groups",
    ):  # fmt: skip
        assert text in said, text
    lit = page.locator(".way.lit")
    assert lit.count() == 2
    page.locator('[aria-label^="image, input"]').click()
    assert "3x224x224" in details(page)


def test_a_block_tells_what_its_arguments_mean(show: Show) -> None:
    page = show(graph(MNASNET), "blocks")
    box(page, "body.stage2.1").click()
    said = details(page)
    assert "Mobile inverted bottleneck" in said and "stride of the depthwise convolution" in said
    assert "body.stage2.1.expand.0.weight" in said and "mnasnet_a1.arch:" in said


def test_buttons_open_all_to_a_depth(show: Show) -> None:
    page = show(graph(MNASNET))
    pressed = page.locator("[data-depth][aria-pressed=true]")
    assert pressed.inner_text() == "Stages"
    counts = {}
    for depth in ("Blocks", "Primitives", "Stages"):
        page.get_by_role("button", name=depth).click()
        assert pressed.inner_text() == depth
        counts[depth] = page.locator("[role=treeitem]").count()
    assert counts["Stages"] == 12 < counts["Blocks"] < counts["Primitives"]
    assert counts["Primitives"] == sum(1 for _ in boxes_of(graph(MNASNET)).walk()) - 1
    fold(page, "stem")
    assert pressed.count() == 0


@pytest.mark.parametrize(
    "which", [MNASNET, *(c for c in CONSTRUCTS if "table" in c.stem)], ids=title
)
def test_the_button_of_the_first_depth_is_pressed(show: Show, which: Any) -> None:
    for depth in DEPTHS:
        page = show(graph(which), depth)
        assert page.locator(f"[data-depth={depth}]").get_attribute("aria-pressed") == "true"


# Keys


def focused(page: Any) -> str:
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    return str(label).partition(",")[0]


def test_all_of_it_works_from_the_keyboard(show: Show) -> None:
    page = show(graph(RESNET))
    for _ in range(5):  # past the search and the buttons
        page.keyboard.press("Tab")
        if focused(page) == "image":
            break
    steps = [
        ("ArrowDown", "stem"), ("ArrowDown", "body.c2"), ("ArrowUp", "stem"),
        ("ArrowDown", "body.c2"), ("ArrowRight", "body.c2"), ("ArrowRight", "body.c2.0"),
        ("ArrowDown", "body.c2.1"), ("Enter", "body.c2.1"), ("ArrowRight", "conv"),
        ("ArrowLeft", "body.c2.1"), ("ArrowLeft", "body.c2.1"), ("ArrowDown", "body.c2.2"),
        ("Space", "body.c2.2"), ("ArrowDown", "conv"), ("Escape", "conv"), ("Escape", "body.c2.2"),
        ("End", "logits"), ("Home", "image"),
    ]  # fmt: skip
    for key, wanted in steps:
        page.keyboard.press(key)
        assert focused(page) == wanted, key
    assert box(page, "body.c2").get_attribute("aria-expanded") == "true"
    assert box(page, "body.c2.1").get_attribute("aria-expanded") == "false"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.keyboard.press("ArrowDown")
    assert "operation" not in details(page) and "stem" in details(page)
    assert page.locator('[role=treeitem][tabindex="0"]').count() == 1


def test_closing_around_the_focus_keeps_it(show: Show) -> None:
    page = show(graph(RESNET), "primitives")
    page.locator('[aria-label^="conv, c=128 k=3 s=2"]').click()
    page.get_by_role("button", name="Stages").click()
    assert "body.c3" in details(page)
    for _ in range(3):  # past two buttons
        page.keyboard.press("Tab")
    assert focused(page) == "body.c3"


# Searching


def test_search(show: Show) -> None:
    page = show(graph(MNASNET))
    page.keyboard.press("/")
    page.keyboard.type("squeeze")
    found = page.locator("#found [role=option]")
    assert found.count() == 8 and page.locator("#count").inner_text() == "8 found"
    page.keyboard.press("ArrowDown")
    assert page.locator("#found [aria-selected=true]").inner_text().startswith("body.stage3.1.")
    page.keyboard.press("Enter")
    assert focused(page) == "excite" and "body.stage3.1.excite" in details(page)
    place = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert 80 < place < 700
    page.keyboard.press("/")
    page.keyboard.type("5.0.depthwise.0.weight")
    assert found.count() == 1
    found.click()
    assert "conv" in focused(page) and "body.stage5.0.depthwise.0.weight" in details(page)
    page.keyboard.press("/")
    page.keyboard.type("nothing like it")
    assert page.locator("#found").inner_text() == "nothing"
    page.keyboard.press("Escape")
    assert page.locator("#search").input_value() == "" and focused(page) == "conv"
    assert page.locator("#found").is_hidden()


# Screens


def test_light_and_dark(show: Show) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page = show(graph(MNASNET), color_scheme=scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(22, 24, 28)"]


def test_a_narrow_screen(show: Show) -> None:
    page = show(graph(MNASNET), viewport={"width": 380, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 380
    aside = page.locator("#details")
    assert aside.is_hidden()
    box(page, "body.stage1").click()
    assert aside.is_visible() and aside.bounding_box()["height"] < 0.6 * 700
    page.get_by_role("button", name="Close").click()
    assert aside.is_hidden() and focused(page) == "body.stage1"
    page.keyboard.press("Enter")
    assert aside.is_visible()
    page.keyboard.press("Escape")
    assert aside.is_hidden()
    for name in ("stem", "body.stage2"):
        place = box(page, name).bounding_box()
        assert place["x"] >= 0 and place["x"] + place["width"] <= 380
    page.get_by_role("button", name="Primitives").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 380


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(show: Show, scheme: str) -> None:
    """axe-core: roles, names, contrast, and what else WCAG 2.2 AA asks that a program can see."""
    page = show(graph(MNASNET), "blocks", color_scheme=scheme)
    box(page, "body.stage2.1").click()
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    result = page.evaluate("axe.run()")
    assert [(v["id"], v["nodes"][0]["html"]) for v in result["violations"]] == []
    assert len(result["passes"]) > 15


# What a spec says, and how large it is


def test_what_a_spec_says_is_never_run(show: Show) -> None:
    network = archdsl.loads(HOSTILE)
    page = show(network.graph, "primitives")
    assert page.locator(".doc").inner_text() == network.doc.strip()
    assert page.locator("script").count() == 2
    box(page, "stem, conv relu").click()
    assert details(page).startswith("stem")


@pytest.mark.parametrize("depth", ["blocks", "primitives"])
@pytest.mark.parametrize(
    ("spec", "variant"),
    [("shiftresnet", "shiftresnet110_e9"), ("densenet121", None), ("efficientnet", "b7")],
)
def test_opening_and_closing_takes_less_than_a_tenth_of_a_second(
    show: Show, spec: str, variant: str | None, depth: str
) -> None:
    """With all blocks shown, closed or open; the best of some tries on a machine that is busy."""
    network = archdsl.load(spec, variant=variant)
    assert sum(block.name.count(".") <= 2 for block in network.blocks) > 50
    page = show(network.graph, depth)
    times = page.evaluate("""() => {
      const all = [...document.querySelectorAll('[aria-expanded] > .lines .fold')];
      const toggle = all[Math.floor(all.length / 2)], times = [];
      for (let i = 0; i < 6; i++) {
        const start = performance.now();
        toggle.click();
        document.body.getBoundingClientRect();
        times.push(performance.now() - start);
      }
      return times;
    }""")
    assert max(min(times[::2]), min(times[1::2])) < 100


# Mermaid, by the real one


def test_mermaid_takes_every_network(browser: Any) -> None:
    script = files("mermaidx").joinpath("assets", "mermaid.js").read_text(encoding="utf-8")
    page = browser.new_page()
    page.goto("about:blank")
    page.add_script_tag(content=script)
    page.evaluate("mermaid.initialize({ startOnLoad: false, maxTextSize: 1e7, maxEdges: 1e5 })")
    texts = [draw(graph(which), "mmd", "blocks") for which in ALL]
    texts.append(draw(archdsl.loads(HOSTILE).graph, "mmd", "primitives"))
    wrong = page.evaluate(
        """async (texts) => {
          const wrong = [];
          for (const text of texts) {
            try {
              const { diagramType } = await mermaid.parse(text);
              if (diagramType !== "flowchart-v2") wrong.push(diagramType);
            } catch (error) {
              wrong.push(String(error));
            }
          }
          return wrong;
        }""",
        texts,
    )
    assert wrong == []
    drawn = page.evaluate(
        "async (text) => (await mermaid.render('drawn', text)).svg", draw(graph(RESNET), "mmd")
    )
    assert drawn.count("edgePaths") >= 1 and "bottleneck" in drawn and "256x56x56" in drawn
    page.close()


def test_mermaid_shows_every_text_as_it_is(browser: Any) -> None:
    page = browser.new_page()
    page.goto("about:blank")
    script = files("mermaidx").joinpath("assets", "mermaid.js").read_text(encoding="utf-8")
    page.add_script_tag(content=script)
    page.evaluate("mermaid.initialize({ startOnLoad: false, maxTextSize: 1e7, maxEdges: 1e5 })")
    texts = [text for text in PIECES if text.strip()]
    nodes = "".join(f'  n{i}["{escaping.mermaid(text)}"]\n' for i, text in enumerate(texts))
    found = page.evaluate(
        """async (text) => {
          const { svg } = await mermaid.render('drawn', text);
          document.body.innerHTML = svg;
          return [...document.querySelectorAll('.node')].map(n => [n.id, n.textContent]);
        }""",
        "flowchart TD\n" + nodes,
    )
    assert len(found) == len(texts)
    for name, shown in found:
        text = texts[int(re.search(r"n(\d+)-\d+$", name)[1])]  # type: ignore[index]
        assert "".join(shown.split()) == "".join(escaping.printable(text).split()), text
    page.close()


def test_data_of_the_page_is_json() -> None:
    text = draw(graph(MNASNET), "html")
    data = text.partition('id="data">')[2].partition("</script>")[0]
    network = json.loads(data)["network"]
    assert network["params"] == 3887038 and len(network["items"]) == 12
