// Finding boxes by name, block, argument or weight.

let hits = [];
let chosen = -1;

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
  const more =
    hits.length > SHOWN
      ? `and ${hits.length - SHOWN} more`
      : wanted && !hits.length
        ? "nothing"
        : "";
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
