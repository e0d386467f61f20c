// What the pointer and the keyboard do; the start.

net.addEventListener("click", (event) => {
  const box = event.target.closest(".box")?.box;
  if (!box) return;
  if (event.target.classList.contains("fold")) toggle(box);
  else document.body.classList.add("told");
  focus(box);
});

net.addEventListener("dblclick", (event) => {
  const box = event.target.closest(".box")?.box;
  if (box && !event.target.classList.contains("fold")) toggle(box);
});

net.addEventListener("focusin", (event) => {
  const box = event.target.box;
  if (box && box !== current) select(box);
});

function shownBoxes() {
  return boxes.filter((box) => box !== top && visible(box) === box);
}

const KEYS = {
  ArrowDown: (box) => step(box, 1),
  ArrowUp: (box) => step(box, -1),
  ArrowRight: (box) =>
    box.children.length && !isOpen(box)
      ? toggle(box)
      : box.children.length && focus(box.children[0]),
  ArrowLeft: (box) => (isOpen(box) ? toggle(box) : box.parent !== top && focus(box.parent)),
  Home: () => focus(shownBoxes()[0]),
  End: () => focus(shownBoxes().at(-1)),
  Enter: (box) => (document.body.classList.add("told"), toggle(box)),
  " ": (box) => (document.body.classList.add("told"), toggle(box)),
  Escape: (box) =>
    document.body.classList.contains("told")
      ? closeDetails()
      : box.parent !== top && focus(box.parent),
};

function step(box, by) {
  const shown = shownBoxes();
  const next = shown[shown.indexOf(box) + by];
  if (next) focus(next);
}

net.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = KEYS[event.key];
  if (!act || !current) return;
  event.preventDefault();
  act(current);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "Escape" && event.target !== search && !net.contains(event.target)) {
    closeDetails();
  }
});

search.addEventListener("input", find);
search.addEventListener("focus", () => search.value && find());
search.addEventListener("keydown", (event) => {
  const last = Math.min(hits.length, SHOWN) - 1;
  if (event.key === "ArrowDown" && chosen < last) choose(chosen + 1);
  else if (event.key === "ArrowUp" && chosen > 0) choose(chosen - 1);
  else if (event.key === "Enter" && chosen >= 0) go(chosen);
  else if (event.key === "Escape") leaveSearch();
  else return;
  event.preventDefault();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".finder")) list.hidden = true;
});

details.addEventListener("click", (event) => {
  if (event.target.id === "close") (closeDetails(), current?.element.focus());
});
for (const button of document.querySelectorAll("[data-depth]")) {
  button.addEventListener("click", () => openTo(button.dataset.depth));
}

// What scrolls has to be within reach of the keyboard.
const legend = document.querySelector(".legend");
new ResizeObserver(() => {
  legend.tabIndex = legend.scrollWidth > legend.clientWidth ? 0 : -1;
}).observe(legend);

document.documentElement.style.setProperty("--bar", `${data.bar}px`);
redraw([]);
boxes[1].element.tabIndex = 0;
tell(null);
