// All runs: the list follows what happens, and two that are ticked can be seen beside each other.

const EVERY = 4000; // ms between two looks
const REST = 10; // times as long as a look took nothing is asked for: a training may want the cores
const list = document.getElementById("list");
const both = document.getElementById("both");
let ticked = [];

/** A row's name stands for it. */
function nameOf(key) {
  return list.querySelector(`tr[data-key="${CSS.escape(key)}"] th`)?.textContent.trim() ?? "";
}

function show() {
  for (const box of list.querySelectorAll(".tick input")) box.checked = ticked.includes(box.value);
  both.hidden = !ticked.length;
  const [one, other] = ticked.map(nameOf);
  both.querySelector(".note").textContent = other ? `${one} and ${other}` : `${one}: tick another one that tracked`;
  const link = both.querySelector("a");
  if (ticked.length === 2) link.href = `${link.dataset.at}${ticked.join("/")}/`;
  else link.removeAttribute("href");
}

/** The list as it is now; what is under the pointer stays there. */
async function look() {
  if (document.hidden) return;
  const answer = await fetch(list.dataset.at, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return;
  const made = document.createElement("template");
  made.innerHTML = await answer.text();
  const [before, after] = [list, made.content].map((part) => [...part.querySelectorAll("tr[data-key]")]);
  const same = before.length === after.length && before.every((row, place) => row.dataset.key === after[place].dataset.key);
  const heads = [list, made.content].map((part) => part.querySelector("thead"));
  if (same && heads[0]?.isEqualNode(heads[1])) before.forEach((row, place) => follow(row, after[place]));
  else if (after.length && (same || !hovered())) replace(made.content);
  ticked = ticked.filter(nameOf);
  show();
}

async function watch() {
  const began = performance.now();
  await look();
  setTimeout(watch, Math.max(EVERY, REST * (performance.now() - began)));
}

function hovered() {
  return matchMedia("(hover: hover)").matches && list.matches(":hover");
}

/** Another list, while what had the focus keeps it. */
function replace(content) {
  const { activeElement } = document;
  const key = activeElement.closest("#list tr")?.dataset.key;
  list.replaceChildren(content);
  const row = key && list.querySelector(`tr[data-key="${CSS.escape(key)}"]`);
  if (row) row.querySelector(activeElement.localName)?.focus({ preventScroll: true });
}

/** A row that runs changes; others are left alone. */
function follow(row, now) {
  if (row.isEqualNode(now) || !("running" in row.dataset)) return;
  row.toggleAttribute("data-running", "running" in now.dataset);
  [...row.children].forEach((cell, place) => {
    if (!cell.isEqualNode(now.children[place])) cell.replaceWith(now.children[place].cloneNode(true));
  });
}

if (list) {
  list.addEventListener("change", ({ target }) => {
    ticked = ticked.filter((key) => key !== target.value);
    if (target.checked) ticked = [...ticked.slice(-1), target.value];
    show();
  });
  both.querySelector("button").addEventListener("click", () => {
    ticked = [];
    show();
  });
  document.querySelector(".find select").addEventListener("change", ({ target }) => target.form.requestSubmit());
  if (list.querySelector("[data-follow], [data-running]")) setTimeout(watch, EVERY);
} else if (!document.querySelector(".cards")) {
  setInterval(first, EVERY);
}

/** Nothing was there yet. */
async function first() {
  const answer = document.hidden ? null : await fetch("rows", { cache: "no-store" }).catch(() => null);
  if (answer?.ok && (await answer.text()).includes("<tr data-key")) location.reload();
}

document.documentElement.dataset.ready = "true";
