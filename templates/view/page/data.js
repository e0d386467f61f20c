// The boxes of the network, as archdsl/view/html.py writes them, and the parts of the page.

const data = JSON.parse(document.getElementById("data").textContent);
const S = data.sizes;
const top = data.network;
const boxes = [];
const net = document.getElementById("net");
const main = document.querySelector("main");
const details = document.getElementById("details");
const search = document.getElementById("search");
const list = document.getElementById("found");
const count = document.getElementById("count");
const GROUPS = new Set(["stage", "line"]);
const KINDS = new Set(["operation", "block", "input", "output"]);
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
