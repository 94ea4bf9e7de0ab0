// Trying weights: uploads with their progress, the choice, and the runs that were started.

const NOTES = "segtrack-view-notes";
const EVERY = 700; // ms between two looks at the runs
const $ = (id) => document.getElementById(id);
const page = $("try");
const form = $("form");
const base = `${page.dataset.root}try/`;
let coming = null; // what is being uploaded

/** Ask the server; what it refuses is an Error with its one line. */
async function ask(path, method = "GET", body = undefined) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("segtrack view does not answer any more: start it again");
  }
  return told(answer.status, await answer.text());
}

function told(status, text) {
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    said = { error: `the server failed (${status})` };
  }
  if (status >= 400) throw new Error(said.error);
  return said;
}

function trouble(error) {
  $("trouble").textContent = error ? error.message : "";
  $("trouble").hidden = !error;
  if (error) $("trouble").scrollIntoView({ block: "nearest" });
}

/** Do what a click asks for, and say what went wrong. */
function doing(work) {
  return async (event) => {
    event?.preventDefault();
    trouble(null);
    try {
      await work(event);
    } catch (error) {
      trouble(error);
    }
  };
}

// Uploads

class Coming {
  #request = null;
  ended = false;

  constructor(files) {
    this.files = files;
    this.size = files.reduce((sum, file) => sum + file.size, 0);
    this.done = 0;
    this.began = performance.now();
  }

  /** Send all files; those that are refused are left out, with a note each. */
  async send() {
    this.key = (await ask("uploads", "POST", { size: this.size })).key;
    const notes = [];
    for (const [place, file] of this.files.entries()) {
      this.show(0, `${place + 1} of ${this.files.length}`);
      try {
        const kept = await this.#put(file, (sent) => this.show(sent, `${place + 1} of ${this.files.length}`));
        if (kept.refused) {
          if (this.files.length === 1) throw new Error(kept.refused);
          notes.push(kept.refused);
        } else if (kept.name !== file.name) notes.push(`${file.name} is called ${kept.name} here`);
      } catch (error) {
        if (this.ended) return null;
        if (this.files.length === 1) throw error;
        notes.push(error.message);
      }
      this.done += file.size;
    }
    const made = await ask(`uploads/${this.key}/done`, "POST").catch((error) => {
      throw notes.length ? new Error(`${error.message}: ${notes.slice(0, 5).join("; ")}`) : error;
    });
    return { ...made, notes };
  }

  #put(file, progress) {
    return new Promise((done, failed) => {
      const request = new XMLHttpRequest();
      this.#request = request;
      request.open("PUT", `${base}uploads/${this.key}/files?name=${encodeURIComponent(file.name)}`);
      request.upload.addEventListener("progress", (event) => progress(event.loaded));
      request.addEventListener("load", () => {
        try {
          done(told(request.status, request.responseText));
        } catch (error) {
          failed(error);
        }
      });
      request.addEventListener("error", () => failed(new Error(`${file.name}: the upload broke off; try it again`)));
      request.addEventListener("abort", () => failed(new Error("ended")));
      request.send(file);
    });
  }

  show(sent, which) {
    const done = this.done + sent;
    const seconds = (performance.now() - this.began) / 1000;
    const left = done && seconds > 2 ? `, ${Math.ceil((seconds * (this.size - done)) / done)} s left` : "";
    $("share").value = this.size ? done / this.size : 0;
    const file = this.files.length > 1 ? `file ${which}, ` : "";
    $("so-far").textContent = `${file}${inBytes(done)} of ${inBytes(this.size)}${left}`;
  }

  async end() {
    this.ended = true;
    this.#request?.abort();
    if (this.key) await ask(`uploads/${this.key}`, "DELETE");
  }
}

function inBytes(size) {
  const [unit, name] = size >= 1e9 ? [1e9, "GB"] : size >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  return `${(size / unit).toFixed(1)} ${name}`;
}

async function upload(files) {
  const wanted = files.filter((file) => !file.name.startsWith(".") && file.name !== "Thumbs.db" && file.name !== "desktop.ini");
  if (coming || !wanted.length) return;
  coming = new Coming(wanted);
  $("coming").hidden = false;
  $("drop").hidden = true;
  try {
    const made = await coming.send();
    if (!made) return;
    sessionStorage.setItem(NOTES, JSON.stringify(made.notes));
    const chosen = new URLSearchParams({ upload: made.key, weights: form.weights.value });
    location.assign(`?${chosen}`);
  } catch (error) {
    if (coming.key) await coming.end().catch(() => {});
    throw error;
  } finally {
    coming = null;
    $("coming").hidden = true;
    $("drop").hidden = false;
  }
}

/** The files of what was dropped, those in folders too. */
async function dropped(items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  while (entries.length) {
    const entry = entries.shift();
    if (entry.isFile) {
      found.push(await new Promise((done, failed) => entry.file(done, failed)));
      continue;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) break;
      entries.push(...some);
    }
  }
  return found;
}

for (const [button, input] of [["choose", "files"], ["choose-folder", "folder"]]) {
  $(button).addEventListener("click", () => $(input).click());
  $(input).addEventListener("change", doing(() => upload([...$(input).files]).finally(() => ($(input).value = ""))));
}
$("cancel").addEventListener("click", doing(() => coming?.end()));
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
  });
}
document.addEventListener("drop", doing(async (event) => upload(await dropped(event.dataTransfer.items))));
window.addEventListener("beforeunload", (event) => coming && event.preventDefault());
for (const button of document.querySelectorAll("[data-remove]")) {
  button.addEventListener("click", doing(async () => {
    const about = "Remove it from the disk? Runs that were made with it stay, but their pages then lack its pictures.";
    if (!confirm(about)) return;
    await ask(`uploads/${button.dataset.remove}`, "DELETE");
    location.assign("?");
  }));
}

// The choice, and the command that it makes

function wanted() {
  const score = form.score.value;
  return {
    upload: form.upload?.value ?? "",
    weights: form.weights.value,
    score: score === "" ? null : Number(score),
    tracker: form.tracker.value,
    classes: form.classes.value.split(","),
  };
}

function kind() {
  return form.querySelector("[name=upload]:checked")?.dataset.kind;
}

let asked = 0;
async function changed() {
  const mine = ++asked;
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== (kind() ?? "video");
  $("start").disabled = $("copy").disabled = true;
  if (!kind() || !form.checkValidity()) return;
  const { command } = await ask("command", "POST", wanted());
  if (mine !== asked) return;
  $("command").textContent = command;
  $("start").disabled = $("copy").disabled = false;
}

form.addEventListener("input", doing(changed));
form.addEventListener("submit", doing(async () => {
  await ask("runs", "POST", wanted());
  await follow();
  $("runs").scrollIntoView({ block: "nearest" });
}));
$("copy").addEventListener("click", doing(async () => {
  await navigator.clipboard.writeText($("command").textContent);
  $("copy").textContent = "Copied";
}));

// Runs that were started

const cards = new Map();

class Card {
  constructor(row) {
    this.element = document.createElement("li");
    const add = (tag, name, parent = this.element) => {
      const made = document.createElement(tag);
      made.className = name;
      parent.append(made);
      return made;
    };
    add("span", "name").textContent = row.title;
    this.state = add("span", "state note");
    this.links = add("span", "links");
    this.end = add("button", "end");
    this.end.type = "button";
    this.end.textContent = "End it";
    this.end.setAttribute("aria-label", `End ${row.title}`);
    this.end.addEventListener("click", doing(() => ask(`runs/${row.number}/end`, "POST")));
    this.error = add("p", "error-line");
    this.lines = add("pre", "lines");
    add("code", "note", add("p", "command")).textContent = row.command;
  }

  update(row) {
    const text = row.state === "waiting" ? `waits, place ${row.place}` : row.state;
    if (this.state.textContent !== text) this.state.textContent = text;
    this.element.dataset.state = row.state;
    this.state.className = `state note ${row.state}`;
    this.end.hidden = row.state !== "waiting" && row.state !== "running";
    this.error.hidden = !row.error;
    this.error.textContent = row.error;
    this.lines.hidden = row.state === "finished" || !row.lines.length;
    this.lines.textContent = row.lines.join("\n");
    const links = [];
    const run = `${page.dataset.root}runs/${row.run}/`;
    if (row.run && row.state === "finished") {
      links.push([row.kind === "video" ? `${run}videos/1/` : `${run}images/`, "Look at it"]);
      links.push([`${run}#downloads`, "Downloads"]);
    } else if (row.run) links.push([run, "Its run"]);
    const shown = JSON.stringify(links);
    if (this.shown === shown) return;
    this.shown = shown;
    this.links.replaceChildren(...links.map(([href, label]) => {
      const link = document.createElement("a");
      link.href = href;
      link.textContent = label;
      return link;
    }));
  }
}

let timer = 0;
async function follow() {
  clearTimeout(timer);
  const rows = await ask("runs");
  $("runs").hidden = !rows.length;
  for (const row of rows.toReversed()) {
    if (!cards.has(row.number)) {
      const card = new Card(row);
      cards.set(row.number, card);
      $("attempts").prepend(card.element);
    }
    cards.get(row.number).update(row);
  }
  if (rows.some((row) => row.state === "waiting" || row.state === "running")) {
    timer = setTimeout(() => doing(follow)(), EVERY);
  }
}

const notes = JSON.parse(sessionStorage.getItem(NOTES) ?? "[]");
sessionStorage.removeItem(NOTES);
for (const note of notes.slice(0, 8)) {
  const line = document.createElement("li");
  line.textContent = note;
  $("notes").append(line);
}
if (notes.length > 8) $("notes").append(`and ${notes.length - 8} more`);
$("notes").hidden = !notes.length;
await doing(changed)();
await doing(follow)();
page.dataset.ready = "true";
