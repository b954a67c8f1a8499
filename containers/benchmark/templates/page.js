"use strict";
const all = (what, inside = document) => Array.from(inside.querySelectorAll(what));
const text = (cell) => cell.textContent.trim();
const value = (said) => (said !== "" && Number.isFinite(Number(said)) ? Number(said) : null);

// Tables: a click on a head sorts by its column, a second click the other way round; empty cells stay last.
function sort(table, column, ascending) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [text(row.cells[column]), row]);
  rows.sort(([one], [other]) => {
    if (one === "" || other === "") return (one === "") - (other === "");
    const numbers = [value(one), value(other)];
    const order = numbers.includes(null) ? one.localeCompare(other, "en", { numeric: true }) : numbers[0] - numbers[1];
    return ascending ? order : -order;
  });
  body.append(...rows.map(([, row]) => row));
  all("thead th", table).forEach((head, at) => {
    if (at === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  });
}

function count(table) {
  const rows = Array.from(table.tBodies[0].rows);
  const shown = rows.filter((row) => !row.hidden).length;
  document.querySelector(`[data-counts="${table.id}"]`).textContent = (shown === rows.length ? shown : `${shown} of ${rows.length}`) + (rows.length === 1 ? " row" : " rows");
  table.classList.toggle("cut", shown > 40);
}

function filter(table, said) {
  const words = said.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of table.tBodies[0].rows) {
    const held = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => held.includes(word));
  }
  count(table);
  table.dispatchEvent(new Event("filtered"));
}

// A column of nothing but numbers stands right, its head too.
function numbers(table) {
  const rows = Array.from(table.tBodies[0].rows);
  const sums = table.tFoot ? Array.from(table.tFoot.rows) : [];
  all("thead th", table).forEach((head, column) => {
    const said = rows.map((row) => text(row.cells[column])).filter(Boolean);
    if (said.length && said.every((each) => value(each) !== null)) for (const cell of [head, ...[...rows, ...sums].map((row) => row.cells[column])]) cell.classList.add("number");
  });
}

for (const table of all("table.sorts")) {
  all("thead th", table).forEach((head, column) =>
    head.firstElementChild.addEventListener("click", () => sort(table, column, head.getAttribute("aria-sort") !== "ascending")));
  numbers(table);
  count(table);
}
for (const input of all("input[data-filters]")) input.addEventListener("input", () => filter(document.getElementById(input.dataset.filters), input.value));

addEventListener("beforeprint", () => all("details").forEach((each) => { each.open = true; }));

// Pictures: a click shows one as large as it is here.
const dialog = document.getElementById("enlarged");
for (const button of all(".picture")) button.addEventListener("click", () => {
  const [small, large] = [button.querySelector("img"), dialog.querySelector("img")];
  large.src = small.src;
  large.alt = small.alt;
  dialog.querySelector("p").textContent = small.alt;
  dialog.showModal();
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

// The graph: what a stage reads and who reads it light up.
for (const link of all(".graph a")) {
  const light = (on) => all(".arrow").filter((arrow) => [arrow.dataset.from, arrow.dataset.to].includes(link.dataset.stage)).forEach((arrow) => arrow.classList.toggle("lit", on));
  for (const [event, on] of [["pointerenter", true], ["pointerleave", false], ["focus", true], ["blur", false]]) link.addEventListener(event, () => light(on));
}

// The scatter of labels is drawn from the rows of their table, a panel a group, all on one scale.
const SVG = "http://www.w3.org/2000/svg";
const [WIDE, HIGH, LEFT, TOP, RIGHT, BOTTOM] = [300, 250, 44, 26, 12, 40];
function draw(name, attributes, parent, said) {
  const made = document.createElementNS(SVG, name);
  for (const key of Object.keys(attributes)) made.setAttribute(key, attributes[key]);
  if (said !== undefined) made.textContent = said;
  parent.append(made);
  return made;
}

function axes(svg, top, limit, x, y) {
  draw("path", { class: "axis", fill: "none", d: `M${LEFT} ${TOP}V${y(0)}H${x(1)}` }, svg);
  for (const at of [0, 0.5, 1]) draw("text", { x: x(at), y: y(0) + 14, "text-anchor": "middle" }, svg, at);
  const step = [0.5, 1, 2, 5, 10].find((each) => top / each <= 5) || 20;
  for (let at = 0; at <= top; at += step) draw("text", { x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, svg, at);
  draw("text", { x: x(0.5), y: HIGH - 6, "text-anchor": "middle" }, svg, "mean average precision");
  draw("text", { x: 11, y: y(top / 2), "text-anchor": "middle", transform: `rotate(-90 11 ${y(top / 2)})` }, svg, "−log10 q");
  draw("line", { class: "limit", x1: LEFT, x2: x(1), y1: y(limit), y2: y(limit) }, svg);
}

function panel(scatter, group, points, top) {
  const tell = scatter.querySelector(".told");
  const svg = draw("svg", { class: "panel", viewBox: `0 0 ${WIDE} ${HIGH}`, tabindex: 0, role: "img" }, scatter.querySelector(".panels"));
  const x = (at) => LEFT + at * (WIDE - LEFT - RIGHT);
  const y = (at) => HIGH - BOTTOM - (at / top) * (HIGH - TOP - BOTTOM);
  const found = points.filter((point) => point.retrieved).length;
  svg.setAttribute("aria-label", `${group}: ${found} of ${points.length} labels retrieved. Arrow keys go from label to label.`);
  draw("text", { class: "title", x: LEFT, y: 16 }, svg, `${group}: ${found} of ${points.length}`);
  axes(svg, top, Number(scatter.dataset.limit), x, y);
  for (const point of points) point.dot = draw("circle", { class: `dot ${point.retrieved ? "yes" : "no"}`, cx: x(point.map), cy: y(point.q), r: 3.5 }, svg);
  let now = -1;
  const show = (at) => {
    all(".dot.now", scatter).forEach((dot) => dot.classList.remove("now"));
    now = at;
    const point = points[at];
    point.dot.classList.add("now");
    tell.textContent = `${point.label} (${group}): mean average precision ${point.map.toFixed(3)}, −log10 q ${point.q.toFixed(3)}, ${point.retrieved ? "retrieved" : "not retrieved"}`;
  };
  svg.addEventListener("pointermove", (event) => {
    const scale = svg.viewBox.baseVal.width / svg.getBoundingClientRect().width;
    const place = [(event.clientX - svg.getBoundingClientRect().left) * scale, (event.clientY - svg.getBoundingClientRect().top) * scale];
    const far = points.map((point) => Math.hypot(x(point.map) - place[0], y(point.q) - place[1]));
    const nearest = far.indexOf(Math.min(...far));
    if (far[nearest] < 12 && nearest !== now) show(nearest);
  });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show((now + step + points.length) % points.length);
  });
}

function scatters(scatter) {
  const table = document.getElementById(scatter.dataset.of);
  const points = Array.from(table.tBodies[0].rows, (row) => {
    const [task, group, label, map, q, , retrieved] = Array.from(row.cells, text);
    return { row, task, group, label, map: Number(map), q: Number(q), retrieved: retrieved === "yes" };
  });
  const choice = scatter.querySelector("select");
  for (const task of new Set(points.map((point) => point.task))) choice.append(new Option(task, task));
  const dim = () => points.forEach((point) => point.dot && point.dot.classList.toggle("dim", point.row.hidden));
  const redraw = () => {
    scatter.querySelector(".panels").replaceChildren();
    scatter.querySelector(".told").textContent = "";
    const chosen = points.filter((point) => point.task === choice.value);
    const top = Math.max(1.5, ...chosen.map((point) => point.q)) * 1.05;
    for (const group of new Set(chosen.map((point) => point.group))) {
      const own = chosen.filter((point) => point.group === group);
      panel(scatter, group, own.sort((one, other) => other.map - one.map), top);
    }
    dim();
  };
  choice.addEventListener("change", redraw);
  table.addEventListener("filtered", dim);
  scatter.hidden = false;
  redraw();
}
all(".scatter").forEach(scatters);
