"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const S = data.sizes, top = data.network, boxes = [];
  const net = document.getElementById("net"), main = document.querySelector("main");
  const details = document.getElementById("details"), search = document.getElementById("search");
  const list = document.getElementById("found"), count = document.getElementById("count");
  const GROUPS = new Set(["stage", "line"]), KINDS = new Set(["operation", "block", "input", "output"]);
  const SHOWN = 60; // weights and things found, at most
  let current = null;

  const isPort = (box) => box.form === "port";
  const isOpen = (box) => box === top || Boolean(box.open);

  (function enter(box, parent) {
    box.parent = parent;
    if (!isPort(box)) boxes.push(box);
    box.children = (box.items || []).filter((item) => !isPort(item));
    for (const item of box.items || []) enter(item, box);
  })(top, null);

  function element(name, classes, text, parent) {
    const made = document.createElement(name);
    if (classes) made.className = classes;
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  function drawing(name, attributes, parent) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  }

  // Where boxes are, as geometry.py says

  function sizeOf(box) {
    if (!box.extent) {
      box.extent = isOpen(box) ? openSize(box)
        : { left: box.size[0] / 2, right: box.size[0] / 2, height: box.size[1] };
    }
    return box.extent;
  }

  function meets(box, [number, places, port]) {
    if (port >= 0 && isOpen(box)) return box.plan.axes[box.cells[port][1]] - box.plan.axis;
    const { left, right } = sizeOf(box);
    return ((left + right) * (number + 1)) / (places + 1) - left;
  }

  function openSize(box) {
    const sizes = box.items.map((item) => ({ ...sizeOf(item) }));
    if (box.outs > 1) {
      for (const size of sizes.slice(-box.outs)) size.right = Math.max(size.right, S.place - S.apart);
    }
    const plan = (box.plan = planOf(box, sizes));
    if (!box.parent) return { left: plan.axis, right: plan.width - plan.axis, height: plan.height };
    const left = plan.axis + S.padding;
    const right = Math.max(plan.width - plan.axis + S.padding, data.wide - left);
    return { left, right, height: plan.height + S.header + (box.outs ? -S.port / 2 : S.padding) };
  }

  function planOf(box, sizes) {
    const heights = new Array(box.rows).fill(0);
    const lefts = new Array(box.columns).fill(S.lane / 2), rights = lefts.slice();
    const byspan = box.cells.map((cell, i) => [cell, sizes[i]]).sort((a, b) => a[0][2] - b[0][2]);
    for (const [[row, column, span], size] of byspan) {
      heights[row] = Math.max(heights[row], size.height);
      for (const [sides, way, needed] of [[lefts, -1, size.left], [rights, 1, size.right]]) {
        const half = Math.floor(span / 2), others = [];
        for (let i = 1; i <= half; i++) others.push(column + way * i);
        const has = others.reduce((sum, c) => sum + lefts[c] + rights[c] + S.apart, sides[column]);
        for (const wider of half ? others : [column]) {
          sides[wider] += Math.max(0, needed - has) / Math.max(1, half);
        }
      }
    }
    const axes = [];
    let x = 0;
    lefts.forEach((left, i) => { axes.push(x + left); x += left + rights[i] + S.apart; });
    const plan = { heights, axes, axis: axes[box.axis], width: x - S.apart };
    box.plan = plan;
    const gaps = heights.map(() => new Map()), firsts = heights.map(() => 0);
    const add = (row, start, stop, key) => {
      if (Math.abs(start - stop) <= 0.1) return;
      if (!gaps[row].has(key)) gaps[row].set(key, { key, start, stops: [] });
      gaps[row].get(key).stops.push(stop);
    };
    plan.ends = box.edges.map(([tail, head, value, leaves, enters, lane, side, , shown], i) => {
      const start = axes[box.cells[tail][1]] + meets(box.items[tail], leaves);
      const stop = axes[box.cells[head][1]] + meets(box.items[head], enters);
      const along = lane === null ? stop : axes[lane];
      add(box.cells[tail][0], start, along, `out ${tail} ${value}`);
      if (!side) add(box.cells[head][0] - 1, along, stop, `in ${i}`);
      if (shown) firsts[box.cells[tail][0]] = S.labelled;
      return [start, along, stop];
    });
    plan.tops = [];
    plan.tracks = [];
    let y = 0;
    gaps.forEach((gap, row) => {
      plan.tops.push(y);
      const tracks = assign([...gap.values()]);
      const number = Math.max(-1, ...tracks.values()) + 1;
      plan.tracks.push(new Map([...tracks].map(([key, track]) => [
        key, y + heights[row] + firsts[row] + (track + 0.5) * S.track,
      ])));
      plan.height = y + heights[row];
      y += heights[row] + firsts[row] + number * S.track + S.arrow;
    });
    return plan;
  }

  // Tracks of one gap, as tracks.py says
  function assign(pieces) {
    const goesRight = (p) => p.stops.reduce((sum, stop) => sum + stop - p.start, 0) > 0;
    const waiting = pieces.sort((a, b) => goesRight(a) - goesRight(b)
      || (goesRight(a) ? b.start - a.start : a.start - b.start));
    const tracks = [], found = new Map();
    const under = (piece) => waiting.some((other) => other !== piece
      && piece.stops.some((stop) => Math.abs(other.start - stop) < 0.1));
    while (waiting.length) {
      const piece = waiting.find((p) => !under(p)) || waiting[0];
      waiting.splice(waiting.indexOf(piece), 1);
      const low = Math.min(piece.start, ...piece.stops), high = Math.max(piece.start, ...piece.stops);
      let number = tracks.length;
      while (number && !tracks[number - 1].some(
        ([start, end]) => low <= end + S.trackApart && start - S.trackApart <= high)) number--;
      (tracks[number] ||= []).push([low, high]);
      found.set(piece.key, number);
    }
    return found;
  }

  function rounded(points) {
    const apart = (a, b) => Math.abs(a[0] - b[0]) + Math.abs(a[1] - b[1]);
    const corners = [];
    for (const point of points) {
      const last = corners[corners.length - 1], before = corners[corners.length - 2];
      if (last && apart(point, last) < 0.05) continue;
      if (before && [0, 1].some((i) => before[i] === last[i] && last[i] === point[i])) corners.pop();
      corners.push(point);
    }
    const toward = (a, b, far) => [0, 1].map((i) => a[i] + ((b[i] - a[i]) * far) / apart(a, b));
    let path = `M${corners[0].join(" ")}`;
    for (let i = 1; i + 1 < corners.length; i++) {
      const [before, corner, after] = corners.slice(i - 1, i + 2);
      const radius = Math.min(S.round, apart(before, corner) / 2, apart(corner, after) / 2);
      path += `L${toward(corner, before, radius).join(" ")}`
        + `Q${corner.join(" ")} ${toward(corner, after, radius).join(" ")}`;
    }
    return `${path}L${corners[corners.length - 1].join(" ")}`;
  }

  // What boxes look like

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
    const isEnd = box.form === "input" || box.form === "output", small = box.form === "operation";
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
    const own = box === top ? net : made(box), open = isOpen(box);
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
      box.ways = drawing("svg", { class: "ways", width: 1, height: 1, "aria-hidden": "true" }, box.inside);
      if (box !== top) box.inside.setAttribute("role", "group");
      for (const item of box.items) box.inside.append(made(item));
    }
    if (!box.inside.parentNode) own.append(box.inside);
    const { plan, ways } = box, size = sizeOf(box);
    const left = size.left - plan.axis, above = box === top ? 0 : S.header;
    const spots = box.items.map((item, i) => {
      const [row, column] = box.cells[i], extent = sizeOf(item), { style } = made(item);
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
    const { plan } = box, [tail, head, value, , , , side, shape, shown] = edge;
    const [start, lane, stop] = plan.ends[i].map((x) => x + left);
    const from = spots[tail], to = spots[head], target = box.items[head];
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

  // Opening and closing

  function visible(box) {
    let shown = box;
    for (let outer = box.parent; outer; outer = outer.parent) if (!isOpen(outer)) shown = outer;
    return shown;
  }

  function toggle(box, open = !isOpen(box)) {
    if (!box.children.length || open === isOpen(box)) return;
    const before = box.element.getBoundingClientRect();
    box.open = open;
    redraw([box]);
    const after = box.element.getBoundingClientRect();
    // What was pointed at stays under the pointer.
    main.scrollBy({ left: after.left - before.left, top: after.top - before.top, behavior: "instant" });
    const shown = visible(current || box);
    if (shown !== current) select(shown);
  }

  function openTo(depth) {
    for (const box of boxes) box.open = opens(box, depth);
    redraw(boxes);
    if (current) select(visible(current));
  }

  function opens(box, depth) {
    const blocks = GROUPS.has(box.form) && box.children.some((child) => child.form === "block");
    return box.children.length > 0 && (depth === "primitives" || (depth === "blocks" && blocks));
  }

  function reveal(box) {
    const changed = [];
    for (let outer = box.parent; outer; outer = outer.parent) {
      if (!isOpen(outer)) changed.push(outer), (outer.open = true);
    }
    if (changed.length) redraw(changed);
    focus(box);
  }

  // Selection and details

  function focus(box) {
    select(box);
    box.element.focus({ preventScroll: true });
    const head = { top: Math.min(sizeOf(box).height, 80) };
    const seen = main.getBoundingClientRect(), rect = box.element.getBoundingClientRect();
    if (rect.top < seen.top + 8) main.scrollTop += rect.top - seen.top - 40;
    else if (rect.top + head.top > seen.bottom - 8) main.scrollTop += rect.top + head.top - seen.bottom + 40;
    if (rect.left < seen.left + 8 && rect.right < seen.right) main.scrollLeft += rect.left - seen.left - 20;
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
      element("td", "", name, row);
      const cell = element("td", kind === "words" ? "" : "number", value, row);
      if (note) element("small", "", note, cell);
    }
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
    const around = box.parent.items, name = (item, other) => (isPort(item) ? item.name || other : item.name);
    const shapes = [];
    for (const edge of box.parent.edges) {
      if (around[edge[1]] === box) shapes.push([`from ${name(around[edge[0]], "outside")}`, edge[7]]);
    }
    for (const edge of box.parent.edges) {
      if (around[edge[0]] === box) shapes.push([`to ${name(around[edge[1]], "outside")}`, edge[7]]);
    }
    table("Shapes", shapes, "long");
    if (box.form !== "input" && box.form !== "output") {
      table("Costs", [
        ["parameters", exact(box.params) + share(box.params, data.params)],
        ["MACs", box.training ? "training only" : exact(box.macs) + share(box.macs, data.macs)],
      ]);
    }
    table("Arguments", rows, "words");
    const weights = weightsIn(box);
    const title = weights.length > SHOWN ? `The first ${SHOWN} of ${weights.length} weights` : "Weights";
    table(title, weights.slice(0, SHOWN), "long");
    if (box.line) {
      element("h3", "", `Spec, ${box.place}`, details);
      element("code", "", box.line, element("pre", "", undefined, details));
    }
  }

  function closeDetails() {
    document.body.classList.remove("told");
  }

  // Searching

  let hits = [], chosen = -1;

  function find() {
    const wanted = search.value.trim().toLowerCase();
    for (const box of hits) box.element?.classList.remove("found");
    hits = wanted ? boxes.filter((box) => box !== top && matches(box, wanted)) : [];
    for (const box of hits) box.element?.classList.add("found");
    list.replaceChildren();
    hits.slice(0, SHOWN).forEach((box, i) => {
      const item = element("li", "", `${box.path || box.name} `, list);
      item.id = `hit${i}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      element("small", "", box.text || box.form, item);
      item.addEventListener("click", () => go(i));
    });
    const more = hits.length > SHOWN ? `and ${hits.length - SHOWN} more` : wanted && !hits.length ? "nothing" : "";
    if (more) element("li", "none", more, list).setAttribute("role", "presentation");
    list.hidden = !wanted;
    search.setAttribute("aria-expanded", String(Boolean(wanted)));
    count.textContent = wanted ? `${hits.length} found` : "";
    choose(hits.length ? 0 : -1);
  }

  function matches(box, wanted) {
    const own = [box.name, box.what, box.path, box.text, ...(box.weights || []).map((w) => w[0])];
    return own.some((text) => text?.toLowerCase().includes(wanted));
  }

  function choose(number) {
    list.children[chosen]?.setAttribute("aria-selected", "false");
    chosen = number;
    const item = list.children[chosen];
    item?.setAttribute("aria-selected", "true");
    item?.scrollIntoView({ block: "nearest" });
    if (item) search.setAttribute("aria-activedescendant", item.id);
    else search.removeAttribute("aria-activedescendant");
  }

  function go(number) {
    const box = hits[number];
    list.hidden = true;
    search.setAttribute("aria-expanded", "false");
    reveal(box);
    box.element.scrollIntoView({ block: "center", inline: "center" });
    box.element.classList.add("found");
  }

  function leaveSearch() {
    search.value = "";
    find();
    (current || boxes[1]).element.focus();
  }

  // Listening

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
    ArrowRight: (box) => (box.children.length && !isOpen(box) ? toggle(box) : box.children.length && focus(box.children[0])),
    ArrowLeft: (box) => (isOpen(box) ? toggle(box) : box.parent !== top && focus(box.parent)),
    Home: () => focus(shownBoxes()[0]),
    End: () => focus(shownBoxes().at(-1)),
    Enter: (box) => (document.body.classList.add("told"), toggle(box)),
    " ": (box) => (document.body.classList.add("told"), toggle(box)),
    Escape: (box) => (document.body.classList.contains("told") ? closeDetails() : box.parent !== top && focus(box.parent)),
  };

  function step(box, by) {
    const shown = shownBoxes(), next = shown[shown.indexOf(box) + by];
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
    if (event.target.id === "close") closeDetails(), current?.element.focus();
  });
  for (const button of document.querySelectorAll("[data-depth]")) {
    button.addEventListener("click", () => openTo(button.dataset.depth));
  }

  // What scrolls has to be within reach of the keyboard.
  const legend = document.querySelector(".legend");
  const reach = () => legend.toggleAttribute("tabindex", legend.scrollWidth > legend.clientWidth);
  new ResizeObserver(reach).observe(legend);

  document.documentElement.style.setProperty("--bar", `${data.bar}px`);
  redraw([]);
  boxes[1].element.tabIndex = 0;
  tell(null);
})();
