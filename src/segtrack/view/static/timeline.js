// Tracks as bars over the time of the video, packed into lanes, and marks above them.

import { KINDS, styleOf } from "./looks.js";

const STRIP = 9; // px of a row of marks
const GAP = 4;
const SLOP = 4;

export class Timeline {
  #still = document.createElement("canvas"); // all but the line of the frame
  #stale = true;
  #groups = [];
  #drag = null;
  #pending = 0;

  constructor(sides, looks, player) {
    Object.assign(this, { sides, looks, player, canvas: document.getElementById("timeline") });
    this.hover = document.getElementById("hover");
    this.range = null; // [first, end] frames that are seen; null for all
    this.extra = []; // marks that belong to no side, as where two runs differ
    new ResizeObserver(() => this.changed()).observe(this.canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.changed());
    this.#listen();
  }

  /** Tracks, marks or filters are others now. */
  changed() {
    this.#stale = true;
    this.draw();
  }

  /** Only the frame is another. */
  draw() {
    cancelAnimationFrame(this.#pending);
    this.#pending = requestAnimationFrame(() => this.#draw());
  }

  zoom(factor, about = this.player.frame) {
    const [a, b] = this.#seen();
    const count = this.player.count;
    const length = Math.min(count, Math.max(12, (b - a) * factor));
    const first = Math.min(Math.max(0, about - ((about - a) / (b - a)) * length), count - length);
    this.range = length >= count ? null : [first, first + length];
    this.changed();
  }

  /** Marks of the kinds that are on, by frame. */
  marks() {
    const shown = ({ kind, name }) => this.looks.kinds.has(kind) && !this.looks.hidden.has(name);
    const all = [...this.extra, ...this.sides.flatMap((side) => side.marks.map((m) => ({ ...m, side })))];
    return all.filter(shown).sort((a, b) => a.first - b.first);
  }

  #seen() {
    return this.range ?? [0, Math.max(1, this.player.count)];
  }

  #build(width) {
    const [a, b] = this.#seen();
    let top = 2;
    const strips = (marks) => {
      const kinds = Object.keys(KINDS).filter((kind) => marks.some((mark) => mark.kind === kind));
      return kinds.filter((kind) => this.looks.kinds.has(kind)).map((kind) => {
        const row = { kind, top, marks: marks.filter((mark) => mark.kind === kind) };
        top += STRIP + 1;
        return row;
      });
    };
    this.#groups = [];
    if (this.extra.length) this.#groups.push({ side: null, strips: strips(this.extra), bars: [], lane: 0 });
    for (const side of this.sides) {
      const group = { side, strips: strips(side.marks), bars: [] };
      if (group.strips.length) top += GAP;
      const tracks = [...side.tracks.values()].filter((track) => this.looks.passes(side, track));
      tracks.sort((one, other) => one.first - other.first || one.id - other.id);
      const ends = [];
      const gap = ((b - a) / width) * 2;
      for (const track of tracks) {
        let lane = ends.findIndex((end) => end + gap < track.first);
        if (lane < 0) lane = ends.push(0) - 1;
        ends[lane] = track.last;
        group.bars.push({ track, lane });
      }
      const lanes = Math.max(1, ends.length);
      group.lane = Math.max(4, Math.min(11, Math.floor(110 / this.sides.length / lanes)));
      group.top = top;
      top += lanes * group.lane + 2 * GAP;
      this.#groups.push(group);
    }
    return top;
  }

  #draw() {
    const { canvas } = this;
    const width = canvas.parentElement.clientWidth;
    if (!width) return;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    if (this.#stale) {
      const height = this.#build(width);
      canvas.style.height = `${height}px`;
      for (const one of [canvas, this.#still]) {
        one.width = Math.round(width * ratio);
        one.height = Math.round(height * ratio);
      }
      this.#drawStill(this.#still.getContext("2d"), width, ratio);
      this.#stale = false;
    }
    const c = canvas.getContext("2d");
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.drawImage(this.#still, 0, 0);
    const x = this.#x(this.player.frame + 0.5, width) * ratio;
    c.fillStyle = styleOf("--text");
    c.fillRect(Math.round(x) - 1, 0, 2, canvas.height);
  }

  #x(frame, width) {
    const [a, b] = this.#seen();
    return ((frame - a) / (b - a)) * width;
  }

  #drawStill(c, width, ratio) {
    const [a, b] = this.#seen();
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const { side, strips, bars, lane, top } of this.#groups) {
      for (const { kind, top: at, marks } of strips) {
        c.fillStyle = styleOf("--line");
        c.globalAlpha = 0.45;
        c.fillRect(0, at, width, STRIP);
        c.globalAlpha = 1;
        c.fillStyle = styleOf(KINDS[kind].colour);
        for (const { first, last, name } of marks) {
          if (last < a || first > b || this.looks.hidden.has(name)) continue;
          const [x1, x2] = [this.#x(first, width), this.#x(last + 1, width)];
          c.fillRect(x1, at, Math.max(2, x2 - x1), STRIP);
        }
      }
      for (const { track, lane: row } of bars) {
        if (track.last < a || track.first > b) continue;
        const chosen = this.looks.isChosen(side, track.id);
        const y = top + row * lane;
        c.globalAlpha = this.looks.chosen && !chosen ? 0.4 : 1;
        c.fillStyle = this.looks.paint(track.id, track.kind);
        const [from, to] = [this.#x(track.first, width), this.#x(track.last + 1, width)];
        for (let i = 0; i < track.parts.length; i += 2) {
          if (i) { // a thread through the gap
            const [x1, x2] = [this.#x(track.parts[i - 1] + 1, width), this.#x(track.parts[i], width)];
            c.fillRect(x1, y + lane / 2 - 1, x2 - x1, 1);
          }
          const x1 = this.#x(track.parts[i], width);
          const x2 = this.#x(track.parts[i + 1] + 1, width);
          c.fillRect(x1, y, Math.max(1.5, x2 - x1 - 0.5), lane - 1);
        }
        if (chosen) {
          c.strokeStyle = styleOf("--text");
          c.lineWidth = 1.5;
          c.strokeRect(from - 1, y - 1, to - from + 2, lane + 1);
        }
        if (lane >= 10 && to - from > 26) {
          c.fillStyle = "#101317";
          c.font = '600 9px system-ui, "DejaVu Sans", sans-serif';
          c.fillText(track.id, Math.max(from, 0) + 3, y + 8);
        }
        c.globalAlpha = 1;
      }
    }
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [a, b] = this.#seen();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const exact = a + (x / box.width) * (b - a);
    const near = ((b - a) / box.width) * 3;
    const found = { frame: Math.min(Math.max(0, Math.floor(exact)), this.player.last) };
    for (const { side, strips, bars, lane, top } of this.#groups) {
      for (const { top: at, marks } of strips) {
        if (y < at || y > at + STRIP) continue;
        const hit = marks.filter((m) => m.first - near <= exact && exact <= m.last + 1 + near);
        const apart = (m) => Math.max(m.first - exact, exact - m.last - 1, 0);
        found.mark = hit.sort((one, other) => apart(one) - apart(other))[0];
        found.side = side;
      }
      const row = Math.floor((y - top) / lane);
      const bar = bars.find(({ track, lane: own }) => {
        return own === row && track.first - near <= exact && exact <= track.last + 1 + near;
      });
      if (bar) Object.assign(found, { side, track: bar.track });
    }
    return found;
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [a, b] = this.#seen();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        if (!this.range) return;
        const by = ((event.deltaX || event.deltaY) / canvas.clientWidth) * (b - a);
        const first = Math.min(Math.max(0, a + by), this.player.count - (b - a));
        this.range = [first, first + b - a];
        this.changed();
      } else {
        this.zoom(Math.exp(event.deltaY * 0.002), this.#at(event).frame);
      }
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      this.#drag = { x: event.clientX, moved: false };
    });
    canvas.addEventListener("pointermove", (event) => {
      const found = this.#at(event);
      if (this.#drag) {
        this.#drag.moved ||= Math.abs(event.clientX - this.#drag.x) > SLOP;
        if (this.#drag.moved) this.player.step(found.frame - this.player.frame);
      }
      this.hover.textContent = this.#said(found);
    });
    canvas.addEventListener("pointerleave", () => (this.hover.textContent = ""));
    canvas.addEventListener("pointerup", (event) => {
      if (this.#drag && !this.#drag.moved) this.#clicked(this.#at(event));
      this.#drag = null;
    });
    canvas.addEventListener("pointercancel", () => (this.#drag = null));
  }

  #clicked({ frame, mark, side, track }) {
    if (mark) {
      this.player.step(mark.first - this.player.frame);
      this.picked?.(mark, side);
    } else {
      this.player.step(frame - this.player.frame);
      if (track) this.looks.choose(side, track.id);
    }
  }

  #said({ frame, mark, side, track }) {
    if (mark) return said(mark);
    if (!track) return `frame ${frame}`;
    return `track ${track.id}, ${side.name(track.kind)}, frames ${track.first} to ${track.last}`;
  }
}

/** A mark in words. */
export function said({ kind, first, last, track, gt, old, name, text }) {
  const when = last > first ? `frames ${first} to ${last}` : `frame ${first}`;
  const what = {
    switch: () => `${name} ${gt}: from track ${old} to ${track}`,
    fragment: () => `${name} ${gt} is found again, as track ${track}`,
    flip: () => `track ${track} was detected as ${name}`,
    miss: () => `${name} ${gt} is missed`,
    false: () => `track ${track} (${name}) is on no object`,
    differ: () => text,
  }[kind]();
  return `${when}: ${KINDS[kind].name}, ${what}`;
}
