// The column beside the video: layers, filters, the list of tracks, what is chosen.

import { KINDS, LAYERS, rangesOf, styleOf } from "./looks.js";
import { said } from "./timeline.js";

export const $ = (id) => document.getElementById(id);
const MOST = 300; // tracks that are listed

export function made(name, attributes = {}, ...content) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...content);
  return element;
}

/** A colour as SVG: styles of elements are not allowed by the page's own rules. */
export function swatch(colour) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  svg.setAttribute("class", "swatch");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("aria-hidden", "true");
  for (const [key, value] of Object.entries({ width: 1, height: 1, fill: colour })) rect.setAttribute(key, value);
  svg.append(rect);
  return svg;
}

export class Panel {
  constructor(sides, looks, player, timeline) {
    Object.assign(this, { sides, looks, player, timeline });
    this.truthful = sides.some((side) => side.about.truth);
    this.#layers();
    this.#inputs();
    $("truth-place").hidden = !this.truthful;
    $("truth").querySelector("[value=beside]").hidden = sides.length > 1;
  }

  #layers() {
    const group = document.querySelector(".toggles");
    LAYERS.forEach(([layer, name], number) => {
      const keys = { "aria-keyshortcuts": number + 1, title: `${name} (${number + 1})` };
      const button = made("button", { type: "button", "data-layer": layer, ...keys }, name);
      button.addEventListener("click", () => this.looks.toggle(layer));
      group.append(button);
    });
    this.layers();
  }

  layers() {
    for (const button of document.querySelectorAll("[data-layer]")) {
      button.setAttribute("aria-pressed", this.looks.layers.has(button.dataset.layer));
    }
    $("truth").value = this.looks.truth;
    $("colour").value = this.looks.colour;
  }

  #inputs() {
    const { looks } = this;
    $("score").addEventListener("input", ({ target }) => {
      looks.score = +target.value;
      target.nextElementSibling.textContent = (+target.value).toFixed(2).replace(/\.?0+$/, "") || "0";
      looks.changed("filters");
    });
    $("length").addEventListener("input", ({ target }) => {
      looks.length = Math.max(0, +target.value || 0);
      looks.changed("filters");
    });
    $("ids").addEventListener("input", ({ target }) => {
      const ranges = rangesOf(target.value);
      target.setAttribute("aria-invalid", ranges === false);
      if (ranges === false) return;
      looks.ids = ranges;
      looks.changed("filters");
    });
    $("sort").addEventListener("change", () => this.tracks());
    $("to-first").addEventListener("click", () => this.player.step(this.track().first - this.player.frame));
    $("to-last").addEventListener("click", () => this.player.step(this.track().last - this.player.frame));
    $("unchoose").addEventListener("click", () => looks.choose(null, null));
  }

  track() {
    const { chosen } = this.looks;
    return chosen ? (chosen.side.tracks.get(chosen.id) ?? null) : null;
  }

  /** The classes that occur, with how many tracks they have. */
  classes() {
    const counts = new Map();
    for (const side of this.sides) {
      for (const track of side.tracks.values()) {
        const name = side.name(track.kind);
        const found = counts.get(name) ?? { kind: track.kind, tracks: 0 };
        counts.set(name, { ...found, tracks: found.tracks + 1 });
      }
    }
    const rows = [...counts].sort((one, other) => other[1].tracks - one[1].tracks);
    const buttons = rows.map(([name, { kind, tracks }]) => {
      const pressed = !this.looks.hidden.has(name);
      const button = made("button", { type: "button", "data-class": name, "aria-pressed": pressed });
      if (this.looks.colour === "class") button.append(swatch(this.looks.palette[kind % this.looks.palette.length]));
      button.append(`${name} `, made("small", {}, tracks));
      button.addEventListener("click", () => {
        if (!this.looks.hidden.delete(name)) this.looks.hidden.add(name);
        this.looks.changed("filters");
      });
      return button;
    });
    replaced(document.querySelector(".classes-of"), buttons);
  }

  kinds() {
    const all = [...this.timeline.extra, ...this.sides.flatMap((side) => side.marks)];
    const buttons = Object.entries(KINDS).map(([kind, { many, name, colour }]) => {
      const count = all.filter((mark) => mark.kind === kind).length;
      if (!count) return null;
      const pressed = this.looks.kinds.has(kind);
      const button = made("button", { type: "button", "data-kind": kind, "aria-pressed": pressed });
      button.append(swatch(styleOf(colour)), `${count === 1 ? name : many} `, made("small", {}, count));
      button.addEventListener("click", () => {
        if (!this.looks.kinds.delete(kind)) this.looks.kinds.add(kind);
        this.looks.changed("kinds");
      });
      return button;
    });
    const shown = buttons.filter(Boolean);
    replaced(document.querySelector(".kinds"), shown);
    $("marks").hidden = $("jump").hidden = !shown.length;
    $("sort").querySelector("[value=errors]").hidden = !shown.length;
  }

  mark(mark) {
    $("mark").textContent = mark ? said(mark) : "";
  }

  tracks() {
    const { looks } = this;
    const rows = this.sides.flatMap((side) => {
      return [...side.tracks.values()].filter((track) => looks.passes(side, track)).map((track) => ({ side, track }));
    });
    const order = {
      first: (a, b) => a.track.first - b.track.first || a.track.id - b.track.id,
      long: (a, b) => b.track.rows - a.track.rows,
      score: (a, b) => a.track.mean - b.track.mean,
      errors: (a, b) => b.track.errors - a.track.errors,
    }[$("sort").value];
    rows.sort(order);
    const all = this.sides.reduce((sum, side) => sum + side.tracks.size, 0);
    const some = rows.length < all ? `${rows.length} of ${all}` : `${all}`;
    $("count").textContent = `${some} track${all === 1 ? "" : "s"}`;
    const items = rows.slice(0, MOST).map(({ side, track }) => {
      const pressed = looks.isChosen(side, track.id);
      const button = made("button", { type: "button", "data-track": track.id, "aria-pressed": pressed });
      const score = made("span", { class: "score" }, track.mean.toFixed(2));
      const beside = this.sides.length > 1 ? ` · ${"AB"[this.sides.indexOf(side)]}` : "";
      const name = made("span", { class: "name" }, `${track.id} ${side.name(track.kind)}${beside}`);
      const length = made("span", { class: "score" }, `${track.first}–${track.last}`);
      button.append(swatch(looks.paint(track.id, track.kind)), name, length, score);
      button.addEventListener("click", () => {
        looks.choose(side, track.id);
        const { frame } = this.player;
        if (frame < track.first || frame > track.last) this.player.step(track.first - frame);
      });
      return made("li", {}, button);
    });
    if (rows.length > MOST) items.push(made("li", { class: "note" }, `and ${rows.length - MOST} more: filter to see them`));
    if (!rows.length) items.push(made("li", { class: "note" }, all ? "No track passes the filter." : "No tracks yet."));
    replaced($("tracks"), items);
    if (looks.chosen) $("tracks").querySelector("[aria-pressed=true]")?.scrollIntoView({ block: "nearest" });
  }

  chosen() {
    const track = this.track();
    $("chosen").hidden = !track;
    $("follow").disabled = !track;
    $("follow").setAttribute("aria-pressed", Boolean(track) && this.looks.following);
    if (!track) return;
    const { side } = this.looks.chosen;
    const seconds = (this.player.time(track.last) - this.player.time(track.first)).toFixed(1);
    $("chosen").querySelector("legend").replaceChildren(
      swatch(this.looks.paint(track.id, track.kind)), `Track ${track.id}, ${side.name(track.kind)}`,
    );
    const parts = track.parts.length / 2;
    const gaps = parts > 1 ? `, ${parts - 1} gap${parts > 2 ? "s" : ""}` : "";
    const errors = side.marks.length ? `, ${track.errors} mark${track.errors === 1 ? "" : "s"}` : "";
    $("chosen").querySelector("p").textContent =
      `frames ${track.first} to ${track.last} (${seconds} s), ${track.rows} objects${gaps}, ` +
      `score ${track.mean.toFixed(2)} on average${errors}`;
  }

  time() {
    const { frame, last } = this.player;
    $("scrub").max = last;
    $("scrub").value = frame;
    $("time").textContent = `${clock(this.player.time(frame))} · ${frame} / ${last}`;
    $("play").textContent = this.player.playing ? "⏸" : "▶";
    $("play").setAttribute("aria-label", this.player.playing ? "Pause" : "Play");
    $("speed").value = this.player.speed;
  }

  reading() {
    const share = Math.min(...this.sides.map((side) => side.read));
    $("reading").hidden = share >= 1;
    $("reading").textContent = `Reading the tracks: ${Math.floor(100 * share)}%`;
  }
}

function clock(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  const part = Math.floor((seconds + 1e-6 - whole) * 100);
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:` : ""}${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}.${two(part)}`;
}

/** New content, while what had the focus keeps it. */
function replaced(parent, children) {
  const { activeElement } = document;
  const data = parent.contains(activeElement) ? { ...activeElement.dataset } : null;
  parent.replaceChildren(...children);
  if (!data) return;
  const [key, value] = Object.entries(data)[0] ?? [];
  if (key) parent.querySelector(`[data-${key}="${CSS.escape(value)}"]`)?.focus({ preventScroll: true });
}
