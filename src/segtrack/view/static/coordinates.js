// Parallel coordinates: an axis for each setting that differs and each score, a line for each cell.

import { Axis, holds, ticksOf } from "./axes.js";

const SVG = "http://www.w3.org/2000/svg";
const [TOP, BASE, MISSING] = [44, 336, 362]; // px; what has no value is below the axes
const [SIDE, LEAST] = [56, 108]; // px beside the outermost axes, and between two of them
const NEAR = 10; // px from a line that still mean it
const DRAG = 4; // px from which on a press is no click
const MOST = 12; // values that each have their mark
const WIDE = 15; // px to each side of an axis that are its own

/** `on` hears `lit(ids)`, `open(id)` and `brushed()`. */
export class Coordinates {
  brushes = new Map();
  #axes = [];
  #lines = new Map(); // by cell
  #drag = null;
  #lit = new Set();

  constructor(box, on) {
    [this.box, this.on] = [box, on];
    this.svg = made("svg", { role: "group", "aria-label": "Parallel coordinates" });
    this.lines = made("g", { class: "lines", tabindex: 0, role: "group", "data-key": "lines" });
    this.lines.setAttribute("aria-label", "Cells; arrow keys go from one to the next, Enter opens it");
    this.front = made("g", {});
    this.svg.append(this.lines, this.front);
    box.append(this.svg);
    new ResizeObserver(() => this.#place()).observe(box);
    this.svg.addEventListener("pointermove", (event) => this.#moved(event));
    this.svg.addEventListener("pointerleave", () => this.#drag || on.lit([]));
    this.svg.addEventListener("click", (event) => this.#clicked(event));
    this.lines.addEventListener("keydown", (event) => this.#keyed(event));
    this.lines.addEventListener("blur", () => on.lit([]));
  }

  get dragging() {
    return this.#drag !== null;
  }

  /** `cells` with id, status, values and scores; `at(cell)` is 0..1 for the colour, or null. */
  draw(abouts, cells, at) {
    this.abouts = abouts;
    this.cells = cells;
    const there = new Set(cells.map((cell) => cell.id));
    for (const [id, line] of this.#lines) {
      if (there.has(id)) continue;
      line.path.remove();
      this.#lines.delete(id);
    }
    for (const cell of cells) {
      const line = this.#lines.get(cell.id) ?? { path: made("path", { "data-cell": cell.id }) };
      this.#lines.set(cell.id, line);
      line.cell = cell;
      const part = at(cell);
      line.rank = part ?? -1;
      line.path.setAttribute("class", `line ${part === null ? cell.status : "scored"}`);
      line.path.style.setProperty("--at", `${100 * (part ?? 0)}%`);
    }
    // The best are drawn last, above the others.
    this.lines.append(...this.#ranked().map((line) => line.path));
    this.#place();
  }

  /** Whether a cell is within all brushes. */
  passes(cell) {
    return [...this.brushes].every(([name, brush]) => !(name in cell.on) || holds(brush, cell.on[name]));
  }

  light(ids) {
    for (const id of this.#lit) this.#lines.get(id)?.path.classList.remove("lit");
    this.#lit = new Set(ids);
    for (const id of ids) {
      const path = this.#lines.get(id)?.path;
      path?.classList.add("lit");
      if (path && path !== this.lines.lastChild && ids.length < 20) this.lines.append(path);
    }
    this.lines.classList.toggle("dim", ids.length > 0);
  }

  /** Show which lines the brushes hold. */
  filter() {
    for (const { path, cell } of this.#lines.values()) path.classList.toggle("out", !this.passes(cell));
    for (const axis of this.#axes) {
      const brush = this.brushes.get(axis.name);
      axis.shade.style.display = brush ? "" : "none";
      if (brush) {
        const [above, below] = axis.stretch(brush);
        set(axis.shade, { y: above, height: Math.max(below - above, 2) });
      }
      axis.grab.setAttribute("aria-label", `${brush ? axis.said(brush) : axis.label}; arrow keys filter, Escape shows all`);
    }
  }

  #ranked() {
    return [...this.#lines.values()].sort((a, b) => a.rank - b.rank);
  }

  /** Axes and lines for the width that there is. */
  #place() {
    if (!this.abouts || this.#drag) return;
    const gaps = Math.max(this.abouts.length - 1, 1);
    const width = Math.max(this.box.clientWidth, 2 * SIDE + gaps * LEAST);
    const gap = (width - 2 * SIDE) / gaps;
    const height = (this.abouts.some((about) => about.missing) ? MISSING : BASE) + 18;
    set(this.svg, { width, height, viewBox: `0 0 ${width} ${height}` });
    const focus = document.activeElement?.dataset?.axis;
    this.#axes = this.abouts.map((about, i) => {
      const axis = new Axis(about, TOP, BASE, MISSING);
      axis.x = this.abouts.length === 1 ? width / 2 : SIDE + i * gap;
      return axis;
    });
    this.front.replaceChildren(...this.#axes.map((axis) => this.#axis(axis, gap)));
    if (focus) this.front.querySelector(`[data-axis="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
    for (const line of this.#lines.values()) {
      line.ys = this.#axes.map((axis) => axis.y(line.cell.on[axis.name]));
      const points = line.ys.map((y, i) => `${this.#axes[i].x.toFixed(1)} ${y.toFixed(1)}`);
      if (points.length === 1) points.push(`${this.#axes[0].x + 40} ${line.ys[0].toFixed(1)}`);
      line.path.setAttribute("d", `M${points.join("L")}`);
    }
    this.filter();
  }

  #axis(axis, gap) {
    const group = made("g", { class: `axis${axis.score ? " score" : ""}`, transform: `translate(${axis.x} 0)` });
    const end = axis.at === null ? BASE : MISSING;
    group.append(made("line", { y1: TOP, y2: BASE }));
    if (axis.at !== null) group.append(made("line", { y1: BASE, y2: end, class: "gap" }));
    const outer = [this.#axes[0], this.#axes.at(-1)].includes(axis);
    const name = text(fitting(axis.label, outer ? 2 * SIDE - 4 : gap - 12, 8.4), { y: 16, class: "name", "text-anchor": "middle" });
    name.append(titled(axis.kind === "log" ? `${axis.name}, logarithmic` : axis.name));
    group.append(name);
    const marks = axis.kind === "words" ? axis.words.map((word) => [word, word]) : axis.ticks;
    const few = marks.length <= MOST || axis.kind === "words" ? marks : ticksOf(axis.low, axis.high, axis.kind);
    let last = Infinity;
    for (const [value, label] of [...few].sort((a, b) => axis.y(b[0]) - axis.y(a[0]))) {
      const y = axis.y(value);
      if (last - y < 13) continue;
      last = y;
      group.append(made("line", { x1: -3, x2: 3, y1: y, y2: y }));
      const mark = text(fitting(label, gap - 16, 6.6), { x: 7, y: y + 4, class: "mark" });
      if (axis.kind === "words") mark.append(titled(label));
      group.append(mark);
    }
    if (axis.at !== null) group.append(text(axis.missing, { x: 7, y: axis.at + 4, class: "mark none" }));
    axis.shade = made("rect", { class: "brush", x: -9, width: 18 });
    axis.grab = made("rect", { class: "grab", x: -WIDE, width: 2 * WIDE, y: TOP - 12, height: end - TOP + 24 });
    set(axis.grab, { tabindex: 0, role: "group", "data-axis": axis.name });
    axis.grab.addEventListener("pointerdown", (event) => this.#grabbed(event, axis));
    // Of parts of a drawing touch-action is not heeded: the page would be moved instead.
    axis.grab.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    axis.grab.addEventListener("keydown", (event) => this.#axisKeyed(event, axis));
    group.append(axis.shade, axis.grab);
    return group;
  }

  #grabbed(event, axis) {
    if (event.button !== 0) return;
    const { grab } = axis;
    grab.setPointerCapture(event.pointerId);
    this.#drag = { axis, from: this.#point(event)[1], moved: false };
    this.on.lit([]);
    const move = (moved) => {
      const y = this.#point(moved)[1];
      this.#drag.moved ||= Math.abs(y - this.#drag.from) > DRAG;
      if (this.#drag.moved) this.#brush(axis, axis.brush(this.#drag.from, y));
    };
    const end = (ended) => {
      if (ended.type === "pointerup") move(ended); // which may be farther than the last move
      for (const [kind, heard] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) {
        grab.removeEventListener(kind, heard);
      }
      if (ended.type === "pointerup" && !this.#drag.moved) this.#brush(axis, null);
      this.#drag = null;
      this.on.brushed();
    };
    grab.addEventListener("pointermove", move);
    grab.addEventListener("pointerup", end);
    grab.addEventListener("pointercancel", end);
  }

  #axisKeyed(event, axis) {
    const brush = this.brushes.get(axis.name);
    if (event.key === "Escape" && brush) {
      event.stopPropagation();
      this.#brush(axis, null);
    }
    const up = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!up) return;
    event.preventDefault();
    const bottom = axis.at === null ? BASE : MISSING;
    let [above, below] = brush ? axis.stretch(brush) : [TOP, bottom];
    // Up keeps the upper ones, down the lower ones; with shift the other end follows.
    if (up < 0 !== event.shiftKey) below += up * axis.step;
    else above += up * axis.step;
    above = Math.max(above, TOP);
    if (below - above < 1) return;
    this.#brush(axis, above <= TOP && below >= bottom ? null : axis.brush(above, below));
  }

  #brush(axis, brush) {
    if (brush) this.brushes.set(axis.name, brush);
    else this.brushes.delete(axis.name);
    this.on.brushed();
  }

  #moved(event) {
    if (this.#drag || event.pointerType === "touch") return;
    const near = this.#near(event);
    this.svg.classList.toggle("over", near !== null && !event.target.matches(".grab"));
    this.on.lit(near === null ? [] : [near]);
  }

  #clicked(event) {
    if (event.target.matches(".grab")) return;
    const near = this.#near(event);
    if (near === null) return this.on.lit([]);
    // A finger sees first what it means.
    if (event.pointerType === "touch" && !this.#lit.has(near)) return this.on.lit([near]);
    this.on.open(near);
  }

  #keyed(event) {
    const step = { ArrowDown: -1, ArrowLeft: -1, ArrowUp: 1, ArrowRight: 1 }[event.key];
    const lines = this.#ranked().filter(({ cell }) => this.passes(cell));
    if (!lines.length) return;
    const now = lines.findIndex(({ cell }) => this.#lit.has(cell.id));
    if (event.key === "Enter" && now >= 0) this.on.open(lines[now].cell.id);
    if (!step) return;
    event.preventDefault();
    const next = now < 0 ? lines.length - 1 : (now + step + lines.length) % lines.length;
    this.on.lit([lines[next].cell.id]);
  }

  /** The cell whose line is nearest, of those that are not filtered away; null where none is near. */
  #near(event) {
    const [x, y] = this.#point(event);
    const right = this.#axes.findIndex((axis) => axis.x >= x);
    if (right < 1) return null;
    const [a, b] = [this.#axes[right - 1], this.#axes[right]];
    const part = (x - a.x) / (b.x - a.x);
    let [best, least] = [null, NEAR];
    for (const { cell, ys, path } of this.#lines.values()) {
      if (path.classList.contains("out")) continue;
      const slope = (ys[right] - ys[right - 1]) / (b.x - a.x);
      const far = Math.abs(ys[right - 1] + part * (ys[right] - ys[right - 1]) - y) / Math.hypot(1, slope);
      if (far < least) [best, least] = [cell.id, far];
    }
    return best;
  }

  #point(event) {
    const box = this.svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
}

export function made(kind, values) {
  return set(document.createElementNS(SVG, kind), values);
}

export function titled(content) {
  const title = made("title", {});
  title.textContent = content;
  return title;
}

function set(element, values) {
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
  return element;
}

function text(content, values) {
  const element = made("text", values);
  element.textContent = content;
  return element;
}

/** Of a text that is too long the end: that of paths, keys and names of files tells them apart. */
function fitting(label, room, letter) {
  const most = Math.max(3, Math.floor(room / letter));
  return label.length <= most ? label : `…${label.slice(1 - most)}`;
}
