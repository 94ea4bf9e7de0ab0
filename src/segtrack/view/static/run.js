// A run: its stages, its log and its curves, while it runs and after it; when it ends, its results.

import { chart } from "./curves.js";

const EVERY = 2000; // ms between two looks
const MOST = 2000; // lines of the log on the page
const WORDS = { done: "done", now: "going on", ahead: "to come", stopped: "stopped here" };
const UNREACHED = { ahead: "not begun" };
const $ = (id) => document.getElementById(id);

/** Begin with what the server has just made of the run. */
function begin() {
  const live = $("live");
  if (!live) return;
  const page = { live, at: live.dataset.at, end: -1, lines: 0, curves: "", drawn: "" };
  $("curves").addEventListener("toggle", () => draw(page));
  look(page);
}

async function look(page) {
  const found = document.hidden && page.end >= 0 ? null : await json(`${page.at}now?start=${page.end}`);
  const running = "running" in page.live.dataset;
  if (found) {
    show(page, found);
    await draw(page);
    if (running && !found.running) return void results();
  }
  page.live.dataset.ready = "true";
  if (running) setTimeout(look, EVERY, page);
}

function show(page, { status, took, stages, said, log, where, curves }) {
  $("state").textContent = status;
  if (took) $("took").textContent = took;
  const rows = stages.map((stage) => stageOf(stage, "running" in page.live.dataset));
  if ($("stages").innerHTML !== rows.map((row) => row.outerHTML).join("")) $("stages").replaceChildren(...rows);
  if (said) $("said").textContent = "running" in page.live.dataset ? said : `Said last: ${said}`;
  page.curves = curves;
  $("curves").hidden = !curves;
  $("log").hidden = !log && !where;
  if (log) tell(page, log);
  else $("log").querySelector(".note").textContent = where;
}

function stageOf({ name, state, text, parts }, running) {
  const row = document.createElement("li");
  row.className = state;
  if (state === "now") row.setAttribute("aria-current", "step");
  row.append(part("b", name), part("span", text || (!running && UNREACHED[state]) || WORDS[state]));
  for (const one of parts) row.append(part("small", one));
  return row;
}

function part(kind, text) {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

/** What is new of the log; who reads its end goes on reading its end. */
function tell(page, { text, start, end }) {
  const place = $("log").querySelector("pre");
  const follows = place.scrollTop + place.clientHeight >= place.scrollHeight - 4;
  if (start !== page.end) place.replaceChildren();
  if (start !== page.end && start > 0) $("log").querySelector(".note").textContent = "The end of it; the whole is segtrack.log in the run's folder.";
  page.end = end;
  if (text) place.append(text);
  while (place.childNodes.length > MOST) place.firstChild.remove();
  if (follows) place.scrollTop = place.scrollHeight;
}

async function draw(page) {
  if (!$("curves").open || !page.curves || page.curves === page.drawn) return;
  page.drawn = page.curves;
  const found = await json(`${page.at}curves`);
  if (found) $("curves").querySelector(".charts").replaceChildren(...found.charts.map(chart));
  else page.drawn = "";
}

/** It has ended: the page as the server has it now, in the place of this one. */
async function results() {
  const answer = await fetch(location.href, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return void setTimeout(results, EVERY);
  const made = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("header").replaceWith(made.querySelector("header"));
  $("main").replaceWith(made.getElementById("main"));
  begin();
}

async function json(address) {
  try {
    const answer = await fetch(address, { cache: "no-store" });
    if (answer.ok) return await answer.json();
    const { error } = await answer.json().catch(() => ({ error: "see the terminal of segtrack view" }));
    $("said").textContent = `This cannot be shown: ${error}`;
  } catch {
    $("said").textContent = "The server does not answer any more: segtrack view has ended.";
  }
  return null;
}

begin();
