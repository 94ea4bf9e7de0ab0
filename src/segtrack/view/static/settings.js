// The table of a sweep: a row for each setting, which opens to its cells, in groups by the claims.

import { made, titled } from "./coordinates.js";

const [WIDE, HIGH] = [132, 16]; // px of an interval

/** `on` hears `lit(ids)`, `sorted()` and `opened()`. */
export class Settings {
  open = new Set();
  sort = null; // column and whether down, once somebody has chosen
  grouped = true;
  #met = false;
  #rows = new Map(); // by setting, those of its cells behind
  #lit = [];

  constructor(table, about, on) {
    Object.assign(this, { table, about, on });
    table.addEventListener("pointerover", (event) => this.#over(event));
    table.addEventListener("pointerleave", () => on.lit([]));
    table.addEventListener("focusin", (event) => this.#over(event));
    table.addEventListener("focusout", () => on.lit([]));
  }

  /** `claim` is what was claimed in the score, or null. */
  draw(data, score, claim, at) {
    Object.assign(this, { data, score, claim, at });
    const seeds = data.settings.some((one) => one.cells.length > 1);
    if (!this.#met && !data.running && data.settings.length === 1) this.open.add(data.settings[0].name);
    this.#met = true;
    this.columns = columnsOf(data, claim, seeds);
    const sort = this.#sorting();
    this.table.tHead.replaceChildren(this.#head(sort));
    this.table.caption.textContent = captionOf(data, seeds);
    const order = data.settings.map((_, i) => i);
    const column = this.columns.find((one) => one.key === sort.key);
    if (column) order.sort((a, b) => compared(column.sort(a), column.sort(b), sort.down));
    const groups = this.grouped && claim?.groups.length ? claim.groups : [{ kind: "all", settings: order }];
    for (const body of [...this.table.tBodies]) body.remove();
    this.#rows.clear();
    for (const group of groups) {
      const body = this.table.createTBody();
      body.className = group.kind;
      if (group.title) body.append(this.#title(group.title));
      const here = new Set(group.settings);
      for (const i of order) if (here.has(i)) body.append(...this.#setting(i, seeds));
    }
  }

  /** Hide settings none of whose cells pass; `passes` of a place among the cells. Returns how many are shown. */
  filter(passes) {
    let count = 0;
    for (const [i, { row, cells }] of this.#rows) {
      const places = this.data.settings[i].cells;
      const passing = places.map(passes);
      const some = passing.includes(true);
      row.hidden = !some;
      count += some;
      cells.forEach((one, n) => {
        one.hidden = !some;
        one.classList.toggle("out", !passing[n]);
      });
    }
    for (const body of this.table.tBodies) body.hidden = [...body.rows].every((row) => row.hidden || row.matches(".group"));
    return count;
  }

  light(ids) {
    for (const row of this.#lit) row.classList.remove("lit");
    const wanted = new Set(ids);
    this.#lit = [...this.table.querySelectorAll("tbody tr[data-cells]")].filter((row) => {
      return wanted.size && row.dataset.cells.split(" ").some((id) => wanted.has(id));
    });
    for (const row of this.#lit) row.classList.add("lit");
  }

  #sorting() {
    if (this.sort && this.columns.some((one) => one.key === this.sort.key)) return this.sort;
    return { key: this.claim && !this.claim.score ? "claim score" : this.score, down: true };
  }

  #head(sort) {
    const row = make("tr");
    for (const column of this.columns) {
      const head = make("th", { scope: "col", class: column.figure || column.right ? "figure" : "" });
      if (column.key === sort.key) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      const button = make("button", { type: "button", "data-key": `sort ${column.key}`, title: column.title ?? "" }, column.label);
      button.addEventListener("click", () => {
        const same = this.#sorting().key === column.key;
        this.sort = { key: column.key, down: same ? !this.#sorting().down : Boolean(column.figure) };
        this.on.sorted();
      });
      head.append(button);
      row.append(head);
    }
    return row;
  }

  #title(title) {
    const row = make("tr", { class: "group" });
    row.append(make("th", { scope: "rowgroup", colspan: this.columns.length }, title));
    return row;
  }

  #setting(i, seeds) {
    const one = this.data.settings[i];
    const cells = one.cells.map((place) => this.data.cells[place]);
    const row = make("tr", { "data-cells": cells.map((cell) => cell.id).join(" "), "data-setting": one.name });
    if (this.claim?.reference === one.name) row.classList.add("reference");
    const opened = this.open.has(one.name);
    row.append(...this.columns.map((column) => column.cell(i, this, opened)));
    const below = seeds && opened ? cells.map((cell) => this.#cell(cell)) : [];
    this.#rows.set(i, { row, cells: below });
    return [row, ...below];
  }

  #cell(cell) {
    const row = make("tr", { class: "cell", "data-cells": cell.id });
    const head = make("th", { scope: "row", colspan: 1 + this.data.axes.length });
    head.append(this.link(cell, cell.seed || cell.name));
    row.append(head);
    for (const column of this.columns.slice(1 + this.data.axes.length)) {
      const place = this.data.scores.indexOf(column.key);
      if (column.key === "cells") row.append(this.state(cell));
      else row.append(make("td", { class: "figure" }, place < 0 || cell.scores[place] === null ? "" : cell.scores[place].toFixed(2)));
    }
    return row;
  }

  /** To a cell, by the name that is given. */
  link(cell, name) {
    return make("a", { href: `${this.about.runs}${cell.id}/`, title: cell.name, "data-key": `cell ${cell.id}` }, name);
  }

  /** What became of a cell, and where MLflow has it. */
  state(cell) {
    const shown = make("td");
    shown.append(make("span", { class: `state ${cell.status}` }, cell.status));
    if (cell.error) shown.append(" ", make("span", { class: "note error" }, cell.error));
    if (this.about.mlflow) {
      shown.append(" ", make("a", { href: this.about.mlflow + cell.id, title: this.about.mlflowTitle, rel: "noreferrer", class: "note" }, "MLflow"));
    }
    return shown;
  }

  #over({ target }) {
    const row = target.closest?.("tbody tr[data-cells]");
    this.on.lit(row && !row.hidden ? row.dataset.cells.split(" ") : []);
  }

  toggle(name) {
    if (!this.open.delete(name)) this.open.add(name);
    this.on.opened();
  }
}

function columnsOf(data, claim, seeds) {
  const { settings, cells } = data;
  const first = {
    key: "setting",
    label: seeds ? "cells" : "cell",
    sort: (i) => settings[i].cells[0],
    cell: (i, table, opened) => headOf(settings[i], cells, table, opened, seeds),
  };
  const axes = data.axes.map((axis, n) => ({
    key: axis.name,
    label: axis.label,
    title: axis.name,
    right: axis.kind !== "words",
    sort: (i) => settings[i].values[n],
    cell: (i) => make("td", { class: axis.kind === "words" ? "" : "figure" }, settings[i].texts[n]),
  }));
  const scores = data.scores.map((name, n) => ({
    key: name,
    label: name,
    figure: true,
    title: "Percent; mean and SD over seeds of the cells that have finished",
    sort: (i) => settings[i].scores[n]?.mean ?? null,
    cell: (i, table) => scoreOf(settings[i], settings[i].scores[n], name === table.score ? table.at : null),
  }));
  const state = {
    key: "cells",
    label: "state",
    sort: (i) => stateOf(settings[i], cells),
    cell: (i, table) => {
      const one = settings[i];
      if (one.cells.length === 1) return table.state(cells[one.cells[0]]);
      return make("td", {}, stateOf(one, cells));
    },
  };
  // What was claimed stands beside its score: of many others the last are out of sight.
  const own = scores.filter((one) => one.key === claim?.score);
  const others = scores.filter((one) => !own.includes(one));
  return [first, ...axes, ...own, ...(claim ? claimed(claim) : []), ...others, state];
}

/** What was measured, where others chose, and the difference to the reference. */
function claimed(claim) {
  const known = claim.rows.flatMap((row) => (row ? [row[2], row[3], row[4]] : [])).filter((one) => one !== null);
  const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
  const measured = {
    key: "claim score",
    label: `${claim.metric} measured`,
    figure: true,
    title: claim.title,
    sort: (i) => claim.rows[i]?.[0] ?? null,
    cell: (i) => make("td", { class: "figure" }, claim.rows[i] ? spread(claim.rows[i][0], claim.rows[i][1]) : ""),
  };
  const difference = {
    key: "claim difference",
    label: `${claim.metric} difference to the reference`,
    figure: true,
    title: `Percentage points, with ${claim.level}% intervals of all settings together; ${claim.referenceLine}`,
    sort: (i) => claim.rows[i]?.[2] ?? null,
    cell: (i) => gapOf(claim.rows[i], low, high),
  };
  return claim.choice || !claim.score ? [measured, difference] : [difference];
}

function headOf(one, cells, table, opened, seeds) {
  const head = make("th", { scope: "row" });
  if (!seeds) {
    head.append(table.link(cells[one.cells[0]], `cell ${one.cells[0] + 1}`));
    return head;
  }
  const count = one.cells.length;
  const button = make("button", { type: "button", class: "more", "aria-expanded": opened, "data-key": `open ${one.name}` });
  button.setAttribute("aria-label", `${one.name || "all"}: ${count} cells`);
  button.append(make("span", { "aria-hidden": true }, opened ? "▾ " : "▸ "), `${count} cell${count === 1 ? "" : "s"}`);
  button.addEventListener("click", () => table.toggle(one.name));
  head.append(button);
  return head;
}

function scoreOf(one, score, at) {
  const cell = make("td", { class: "figure" });
  if (!score) return cell;
  const part = at?.(score.mean);
  if (part !== null && part !== undefined) {
    const swatch = make("span", { class: "swatch score" });
    swatch.style.setProperty("--at", `${100 * part}%`);
    cell.append(swatch);
  }
  cell.append(spread(score.mean, score.sd));
  if (score.n < one.cells.length) cell.append(" ", make("small", { title: "cells that the mean is of" }, `(${score.n})`));
  return cell;
}

function spread(value, sd) {
  if (value === null) return "";
  return sd === null ? value.toFixed(2) : `${value.toFixed(2)} ± ${sd.toFixed(2)}`;
}

function gapOf(row, least, most) {
  const cell = make("td", { class: "figure gap-of" });
  if (!row) return cell;
  const [, , difference, low, high, told] = row;
  if (difference === null) {
    cell.append(make("span", { class: "note" }, "the reference"));
    return cell;
  }
  const kind = told ? (difference > 0 ? "better" : "worse") : "open";
  const x = (value) => 5 + ((WIDE - 10) * (value - least)) / (most - least || 1);
  const drawn = made("svg", { width: WIDE, height: HIGH, class: `interval ${kind}`, "aria-hidden": true });
  drawn.append(made("line", { x1: x(0), x2: x(0), y1: 0, y2: HIGH, class: "zero" }));
  if (low !== null) drawn.append(made("line", { x1: x(low), x2: x(high), y1: HIGH / 2, y2: HIGH / 2 }));
  drawn.append(made("circle", { cx: x(difference), cy: HIGH / 2, r: 3.5 }));
  drawn.append(titled(told ? "told from the reference" : "cannot be told from the reference"));
  const ends = low === null ? "no interval" : `${signed(low)} to ${signed(high)}`;
  cell.append(drawn, make("span", { class: `gap ${kind}` }, signed(difference)), " ", make("span", { class: "note" }, ends));
  return cell;
}

function signed(value) {
  return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
}

function stateOf(one, cells) {
  const counts = new Map();
  for (const place of one.cells) counts.set(cells[place].status, (counts.get(cells[place].status) ?? 0) + 1);
  return [...counts].map(([status, count]) => (counts.size === 1 ? status : `${count} ${status}`)).join(", ");
}

function captionOf(data, seeds) {
  if (!seeds) return "Settings in which cells differ, and scores in percent";
  if (!data.axes.length) return `Cells that differ in ${data.seeds.join(" and ")} alone: how far scores spread by chance, in percent. None of them is better than another.`;
  return `Settings, with mean and SD over ${data.seeds.join(" and ") || "cells"}, in percent`;
}

/** Missing values last, whichever way. */
function compared(a, b, down) {
  const none = [a, b].map((value) => value === null || value === undefined);
  if (none[0] || none[1]) return none[0] - none[1];
  const sign = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  return down ? -sign : sign;
}

export function make(kind, values = {}, content = null) {
  const element = document.createElement(kind);
  for (const [name, value] of Object.entries(values)) if (value !== "") element.setAttribute(name, value);
  if (content !== null) element.textContent = content;
  return element;
}
