// What boxes and edges look like; puts them where the layout says.

function made(box) {
  if (box.element) return box.element;
  const colour = data.colours[box.kind] || data.plain;
  const own = (box.element = element("div", "box"));
  own.box = box;
  if (isPort(box)) {
    own.className = box.name ? "port" : "port dot";
    own.textContent = box.name || "";
    own.setAttribute("aria-hidden", "true");
    return own;
  }
  const siblings = box.parent.children;
  own.style.setProperty("--colour", colour);
  own.tabIndex = -1;
  own.setAttribute("role", "treeitem");
  own.setAttribute("aria-label", box.spoken);
  own.setAttribute("aria-selected", "false");
  own.setAttribute("aria-setsize", siblings.length);
  own.setAttribute("aria-posinset", siblings.indexOf(box) + 1);
  own.title = box.spoken;
  if (box.training) own.classList.add("training");
  if (box.sign) {
    own.classList.add("sign");
    own.textContent = box.sign;
    return own;
  }
  const isEnd = box.form === "input" || box.form === "output";
  const small = box.form === "operation";
  own.classList.add(isEnd ? "end" : small ? "small" : "whole");
  if (!isEnd) {
    const stripe = element("span", "stripe", undefined, own);
    const kinds = box.form === "line" ? box.children.map((child) => child.kind) : [box.kind];
    for (const kind of new Set(kinds)) {
      element("i", "", undefined, stripe).style.background = data.colours[kind] || data.plain;
    }
  }
  const lines = element("div", "lines", undefined, own);
  if (isEnd || small) {
    const line = element("div", "", undefined, lines);
    element("span", "name", box.name, line);
    element("span", "text", box.text ? ` ${box.text}` : "", line);
  } else {
    const row = element("div", "row", undefined, lines);
    element("span", "name", box.name, row);
    if (box.repeats) element("span", "count", `×${box.repeats}`, row);
    if (box.children.length) element("span", "fold", "", row);
    element("div", "text", box.text || "", lines);
  }
  if (!isEnd && (box.params || box.macs)) {
    const bars = element("div", "bars", undefined, own);
    const macs = box.training ? "training only" : `${box.shortMacs} MACs`;
    const least = small ? data.least : 0;
    bar(bars, "params", box.params, data.params, `${box.shortParams} params`, least);
    bar(bars, "macs", box.macs, data.macs, macs, least);
  }
  return own;
}

function bar(parent, kind, part, whole, text, least) {
  const portion = whole ? (part || 0) / whole : 0;
  if (portion < least) return;
  const row = element("div", "bar", undefined, parent);
  const track = element("span", "track", undefined, row);
  element("i", kind, undefined, track).style.width = `${100 * portion}%`;
  element("span", "amount", text, row);
}

// Puts what a box holds where it belongs; boxes in it that were placed before stay as they are.
function place(box) {
  const own = box === top ? net : made(box);
  const open = isOpen(box);
  if (box !== top) {
    own.classList.toggle("open", open);
    own.classList.toggle("cards", Boolean(box.repeats) && !open);
    own.querySelector(":scope > .bars")?.classList.toggle("thin", open || box.form === "operation");
    if (box.children.length) own.setAttribute("aria-expanded", open);
  }
  box.placed = true;
  if (!open) {
    box.inside?.remove();
    return;
  }
  if (!box.inside) {
    box.inside = element("div", "inside");
    box.ways = drawing(
      "svg",
      { class: "ways", width: 1, height: 1, "aria-hidden": "true" },
      box.inside,
    );
    if (box !== top) box.inside.setAttribute("role", "group");
    for (const item of box.items) box.inside.append(made(item));
  }
  if (!box.inside.parentNode) own.append(box.inside);
  const { plan, ways } = box;
  const size = sizeOf(box);
  const left = size.left - plan.axis;
  const above = box === top ? 0 : S.header;
  const spots = box.items.map((item, i) => {
    const [row, column] = box.cells[i];
    const extent = sizeOf(item);
    const { style } = made(item);
    const width = isPort(item) ? item.size[0] : extent.left + extent.right;
    const x = left + plan.axes[column] - (isPort(item) ? width / 2 : extent.left);
    const y = above + plan.tops[row] + (plan.heights[row] - extent.height) / 2;
    style.left = `${x}px`;
    style.top = `${y}px`;
    style.width = `${width}px`;
    style.height = `${extent.height}px`;
    if (!isPort(item) && !item.placed) place(item);
    return { x, y, width, height: extent.height };
  });
  ways.replaceChildren();
  box.edges.forEach((edge, i) => draw(box, edge, i, spots, ways, left, above));
}

function draw(box, edge, i, spots, ways, left, above) {
  const { plan } = box;
  const [tail, head, value, , , , side, shape, shown] = edge;
  const [start, lane, stop] = plan.ends[i].map((x) => x + left);
  const from = spots[tail];
  const to = spots[head];
  const target = box.items[head];
  const points = [[start, from.y + from.height]];
  const leaving = plan.tracks[box.cells[tail][0]].get(`out ${tail} ${value}`);
  if (leaving !== undefined) points.push([start, above + leaving], [lane, above + leaving]);
  if (side) {
    const y = to.y + to.height / 2;
    points.push([lane, y], [to.x + (side > 0 ? to.width : 0), y]);
  } else {
    const arriving = plan.tracks[box.cells[head][0] - 1].get(`in ${i}`);
    if (arriving !== undefined) points.push([lane, above + arriving], [stop, above + arriving]);
    points.push([stop, to.y - (target.repeats && !isOpen(target) ? S.cards : 0)]);
  }
  const path = drawing("path", { class: "way", d: rounded(points) }, ways);
  if (target.training) path.classList.add("training");
  if (!isPort(target) || target.name) path.setAttribute("marker-end", "url(#tip)");
  path.ends = [box.items[tail], target];
  if (shown) {
    const label = { class: "shape", x: start + 5, y: from.y + from.height + 12 };
    const text = drawing("text", label, ways);
    text.textContent = shape;
    text.ends = path.ends;
  }
}

function redraw(changed) {
  const focus = document.activeElement?.box;
  for (const box of changed) {
    for (let outer = box; outer; outer = outer.parent) {
      outer.extent = undefined;
      outer.placed = false;
    }
  }
  const { left, right, height } = sizeOf(top);
  place(top);
  net.style.width = `${left + right}px`;
  net.style.height = `${height}px`;
  if (focus && document.activeElement !== focus.element) visible(focus).element.focus();
  if (current) light(current);
  for (const button of document.querySelectorAll("[data-depth]")) {
    const { depth } = button.dataset;
    const is = boxes.every((box) => box === top || Boolean(box.open) === opens(box, depth));
    button.setAttribute("aria-pressed", String(is));
  }
}
