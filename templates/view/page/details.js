// Which box is selected, and all that is told of it.

function focus(box) {
  select(box);
  box.element.focus({ preventScroll: true });
  const head = { top: Math.min(sizeOf(box).height, 80) };
  const seen = main.getBoundingClientRect();
  const rect = box.element.getBoundingClientRect();
  if (rect.top < seen.top + 8) main.scrollTop += rect.top - seen.top - 40;
  else if (rect.top + head.top > seen.bottom - 8)
    main.scrollTop += rect.top + head.top - seen.bottom + 40;
  if (rect.left < seen.left + 8 && rect.right < seen.right)
    main.scrollLeft += rect.left - seen.left - 20;
  else if (rect.left > seen.right - 60) main.scrollLeft += rect.left - seen.left - 20;
}

function select(box) {
  const before = (current || boxes[1]).element;
  before.setAttribute("aria-selected", "false");
  before.tabIndex = -1;
  current = box;
  box.element.setAttribute("aria-selected", "true");
  box.element.tabIndex = 0;
  light(box);
  tell(box);
}

function light(box) {
  for (const lit of net.querySelectorAll(".lit")) lit.classList.remove("lit");
  for (const way of box.parent.ways?.children || []) {
    if (way.classList.contains("way") ? way.ends.includes(box) : way.ends[0] === box) {
      way.classList.add("lit");
    }
  }
}

const exact = (number) => (number || 0).toLocaleString("en");

function share(part, whole) {
  return whole ? ` (${((100 * (part || 0)) / whole).toFixed(2)} %)` : "";
}

function table(title, rows, kind) {
  if (!rows.length) return;
  element("h3", "", title, details);
  const body = element("tbody", "", undefined, element("table", kind, undefined, details));
  for (const [name, value, note] of rows) {
    const row = element("tr", "", undefined, body);
    breakable(element("td", "", "", row), name);
    const cell = element("td", kind === "words" ? "" : "number", value, row);
    if (note) element("small", "", note, cell);
  }
}

// A path, which may break after its dots.
function breakable(cell, path) {
  for (const part of path.split(/(?<=\.)/)) cell.append(part, document.createElement("wbr"));
}

function weightsIn(box) {
  return [...(box.weights || []), ...box.children.flatMap(weightsIn)];
}

function tell(box) {
  details.replaceChildren();
  if (!box) {
    element("p", "hint", "Choose a box to see its arguments, weights, shapes and costs.", details);
    return;
  }
  const close = element("button", "", "Close", details);
  close.id = "close";
  close.type = "button";
  const called = box.path || box.name;
  element("h2", "", box.repeats ? `${called} ×${box.repeats}` : called, details);
  const kind = KINDS.has(box.form) ? box.form : "line of the spec";
  element("p", "", box.what ? `${kind} ${box.what}` : kind, details);
  // What the docs say of an argument stands beside it.
  const notes = new Map((box.docs || []).map((doc) => doc.split(/^(\w+): /).slice(1)));
  const rows = (box.arguments || []).map(([name, value]) => [name, value, notes.get(name)]);
  const given = new Set(rows.map(([name]) => name));
  for (const doc of box.docs || []) {
    if (!given.has(doc.split(":")[0])) element("p", "", doc, details);
  }
  const around = box.parent.items;
  const name = (item, other) => (isPort(item) ? item.name || other : item.name);
  // In the order in which they enter and leave.
  const flows = (end, place) =>
    box.parent.edges
      .filter((edge) => around[edge[end]] === box)
      .sort((a, b) => a[place][0] - b[place][0]);
  const shapes = [
    ...flows(1, 4).map((edge) => [`from ${name(around[edge[0]], "outside")}`, edge[7]]),
    ...flows(0, 3).map((edge) => [`to ${name(around[edge[1]], "outside")}`, edge[7]]),
  ];
  table("Shapes", shapes, "long");
  if (box.form !== "input" && box.form !== "output") {
    table("Costs", [
      ["parameters", exact(box.params) + share(box.params, data.params)],
      ["MACs", box.training ? "training only" : exact(box.macs) + share(box.macs, data.macs)],
    ]);
  }
  table("Arguments", rows, "words");
  const weights = weightsIn(box);
  const title =
    weights.length > SHOWN ? `The first ${SHOWN} of ${weights.length} weights` : "Weights";
  table(title, weights.slice(0, SHOWN), "long");
  if (box.line) {
    element("h3", "", `Spec, ${box.place}`, details);
    element("code", "", box.line, element("pre", "", undefined, details));
  }
}

function closeDetails() {
  document.body.classList.remove("told");
}
