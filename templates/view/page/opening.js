// Opening and closing, one box or all down to a depth.

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
  main.scrollBy({
    left: after.left - before.left,
    top: after.top - before.top,
    behavior: "instant",
  });
  const shown = visible(current || box);
  if (shown !== current) select(shown);
}

function openTo(depth) {
  for (const box of boxes) box.open = opens(box, depth);
  redraw(boxes);
  if (current) select(visible(current));
}

function opens(box, depth) {
  if (!box.children.length || depth === "stages") return false;
  if (depth === "primitives") return true;
  const blocks = GROUPS.has(box.form) && box.children.some((child) => child.form === "block");
  return blocks && (box.parent === top || opens(box.parent, depth));
}

function reveal(box) {
  const changed = [];
  for (let outer = box.parent; outer; outer = outer.parent) {
    if (!isOpen(outer)) (changed.push(outer), (outer.open = true));
  }
  if (changed.length) redraw(changed);
  focus(box);
}
