// The page of a sweep: what the server says of it, asked again while it runs, as lines and as a table.

import { scored } from "./axes.js";
import { Coordinates } from "./coordinates.js";
import { Settings, make } from "./settings.js";

const AGAIN = 3000; // ms until the server is asked what became of a sweep that runs
const $ = (id) => document.getElementById(id);
const page = $("sweep");
const { runs, mlflow, mlflowTitle } = page.dataset;

let data = null; // as the server gave it last
let text = ""; // the same, to see whether anything is new
let chosen = null; // the score, once somebody has chosen
let now = []; // the cells that are lit
let waiting = false; // to be drawn when nothing is dragged any more

const on = {
  lit,
  open: (id) => (location.href = `${runs}${id}/`),
  brushed: () => (waiting && !chart.dragging ? draw() : filter()),
  sorted: () => draw(),
  opened: () => draw(),
};
const chart = new Coordinates($("chart"), on);
const table = new Settings($("settings"), { runs, mlflow, mlflowTitle }, on);

$("score").addEventListener("change", ({ target }) => {
  chosen = target.value;
  table.sort = null; // it was by the score before
  draw();
});
$("clear").addEventListener("click", () => unbrush());
$("grouped").addEventListener("click", () => {
  table.grouped = !table.grouped;
  draw();
});
document.addEventListener("keydown", ({ key }) => key === "Escape" && unbrush());
document.addEventListener("visibilitychange", () => !document.hidden && data?.running && load());
load();

async function load() {
  clearTimeout(load.next);
  const trouble = await ask();
  $("trouble").hidden = !trouble;
  $("trouble").textContent = trouble;
  if (!document.hidden && (trouble || data.running)) load.next = setTimeout(load, AGAIN);
}

/** What is wrong, or nothing. */
async function ask() {
  try {
    const answer = await fetch("cells", { cache: "no-store" });
    if (!answer.ok) {
      const { error } = await answer.json().catch(() => ({ error: "see the terminal of segtrack view" }));
      return `This cannot be shown: ${error}`;
    }
    const found = await answer.text();
    if (found === text) return "";
    text = found;
    data = JSON.parse(found);
  } catch {
    return "The server does not answer any more: segtrack view has ended.";
  }
  if (chart.dragging) waiting = true;
  else draw();
  return "";
}

function draw() {
  waiting = false;
  $("status").textContent = stateOf(data);
  $("none").hidden = data.settings.length > 0;
  $("filled").hidden = data.settings.length === 0;
  const focus = document.activeElement?.dataset?.key;
  const scores = scoresOf(data);
  const score = scores.find((one) => one.key === chosen) ?? telling(scores) ?? scores[0] ?? null;
  $("score").replaceChildren(...scores.map(({ key, label }) => make("option", { value: key }, label)));
  $("score").value = score?.key ?? "";
  $("score").disabled = scores.length < 2;
  const place = data.scores.indexOf(score?.key);
  const values = data.cells.map((cell) => (place < 0 ? null : cell.scores[place])).filter((one) => one !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const at = (value) => (value === null || place < 0 ? null : low === high ? 1 : (value - low) / (high - low));
  drawScale(values.length > 1, low, high);
  chart.draw(...lines(), (cell) => at(cell.scores[place] ?? null));
  const claim = score?.claim ?? null;
  table.draw(data, score?.key, claim, at);
  drawClaim(claim);
  if (focus) document.querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  filter();
  lit(now, true);
  page.dataset.drawn = data.cells.length;
}

/** The axes, and each cell with where it is on them. */
function lines() {
  const cells = [];
  for (const one of data.settings) {
    for (const place of one.cells) {
      const cell = data.cells[place];
      cell.on = {};
      data.axes.forEach((axis, n) => (cell.on[axis.name] = one.values[n]));
      data.scores.forEach((name, n) => (cell.on[name] = cell.scores[n]));
      cell.setting = one;
      cells.push(cell);
    }
  }
  const scores = data.scores.map((name, n) => scored(name, cells.map((cell) => cell.scores[n])));
  return [[...data.axes, ...scores], cells];
}

/** What can be chosen: the scores of the cells, and what was claimed in others. */
function scoresOf({ scores, claims }) {
  const found = scores.map((name) => ({ key: name, label: name, claim: claims.find((one) => one.score === name) }));
  for (const claim of claims) {
    if (!claim.score) found.push({ key: `claim ${claim.metric}`, label: claim.metric, claim });
  }
  return found;
}

/** The first of which something was claimed, or else in which cells differ. */
function telling(scores) {
  const differs = ({ key }) => {
    const place = data.scores.indexOf(key);
    return new Set(data.cells.map((cell) => cell.scores[place] ?? null).filter((one) => one !== null)).size > 1;
  };
  return scores.find((one) => one.claim) ?? scores.find(differs);
}

function drawScale(there, low, high) {
  $("scale").hidden = !there;
  if (!there) return;
  const [least, most] = $("scale").querySelectorAll("span");
  [least.textContent, most.textContent] = [low.toFixed(2), high.toFixed(2)];
}

function drawClaim(claim) {
  $("claims").hidden = !claim;
  $("grouping").hidden = !claim?.groups.length;
  $("grouped").setAttribute("aria-pressed", table.grouped);
  if (!claim) return;
  const like = claim.groups.length
    ? [`“Cannot be told from it” means that an interval of all settings together holds 0; it does not mean equal.`]
    : [];
  const said = [`${claim.title}; ${claim.referenceLine}.`, ...like, ...claim.notes.map((note) => `${note[0].toUpperCase()}${note.slice(1)}.`)];
  $("claims").replaceChildren(make("p", {}, `${claim.sentence}.`), ...said.map((one) => make("p", { class: "note" }, one)));
}

function stateOf({ status, counts, planned, cells }) {
  const { finished = 0, ...others } = counts;
  const all = planned ?? cells.length;
  const done = `${finished} of ${all} cells finished${planned === null && data.running ? " so far" : ""}`;
  const parts = Object.entries(others).map(([state, count]) => `${count} ${state}`);
  const lost = !data.running && planned > cells.length ? [`${planned - cells.length} never began`] : [];
  return [status, done, ...parts, ...lost].join(" · ");
}

function filter() {
  const some = chart.brushes.size > 0;
  // Rows that go must not let the page get shorter, and so move, under a pointer that drags.
  if (some) page.style.minHeight ||= `${page.offsetHeight}px`;
  else if (!chart.dragging) page.style.minHeight = "";
  chart.filter();
  const passing = data.cells.map((cell) => Boolean(cell.on) && chart.passes(cell));
  const settings = table.filter((place) => passing[place]);
  $("clear").hidden = !some;
  const cells = passing.filter(Boolean).length;
  const seeds = settings === cells ? "" : `, of ${settings} of ${data.settings.length} settings`;
  $("shown").textContent = some ? `${cells} of ${data.cells.length} cells${seeds}` : "";
}

function unbrush() {
  if (!chart.brushes.size) return;
  chart.brushes.clear();
  filter();
}

function lit(ids, again = false) {
  if (!again && ids.join() === now.join()) return;
  now = ids;
  chart.light(ids);
  table.light(ids);
  const cells = data?.cells.filter((cell) => cell.on && ids.includes(cell.id)) ?? [];
  if (!cells.length) return;
  const [{ setting, seed, status, scores }] = cells;
  const known = cells.length === 1 ? data.scores.map((name, n) => (scores[n] === null ? "" : `${name} ${scores[n].toFixed(2)}`)) : [];
  const head = cells.length === 1 ? [setting.name, seed, status] : [setting.name, `${cells.length} cells`];
  $("lit").textContent = [...head, ...known].filter(Boolean).join(" · ");
}
