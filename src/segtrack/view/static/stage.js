// The pictures: one canvas for each run, and one for the ground truth where it is shown beside. All have
// the same picture and the same part of it.

import { pathOf } from "./side.js";

const TRAIL = 45; // frames
const NEAREST = 24; // times the whole picture
const SLOP = 4; // px that a pointer may move and still have clicked
const NARROW = 480; // px of a canvas, below which labels leave out scores

export class Stage {
  #panes = [];
  #view = { zoom: 1, x: 0.5, y: 0.5 }; // the middle of what is seen, as a share of the picture
  #pointers = new Map();
  #moved = 0;
  #pinch = null;

  constructor(sides, looks, repaint) {
    Object.assign(this, { sides, looks, repaint, element: document.getElementById("stage") });
    this.size = [sides[0].about.width, sides[0].about.height];
    this.arrange();
    new ResizeObserver(() => this.#fit()).observe(this.element);
    this.#listen();
  }

  /** A canvas per run, and the ground truth's where it has one. */
  arrange() {
    const beside = this.looks.truth === "beside" && this.sides[0].about.truth;
    const wanted = this.sides.map((side) => ({ side, truth: this.looks.truth === "over" }));
    if (beside) wanted.push({ side: this.sides[0], only: true, truth: true });
    for (const pane of this.#panes) pane.box.remove();
    this.#panes = wanted.map((pane, number) => {
      const box = document.createElement("figure");
      const canvas = document.createElement("canvas");
      const title = document.createElement("figcaption");
      title.textContent = pane.only ? "ground truth" : wanted.length > 1 ? pane.side.about.run : "";
      title.hidden = wanted.length === 1;
      canvas.tabIndex = -1;
      canvas.dataset.pane = number;
      box.append(canvas, title);
      this.element.append(box);
      return { ...pane, box, canvas, title, context: canvas.getContext("2d") };
    });
    this.element.dataset.panes = wanted.length;
    this.#fit();
  }

  fit() {
    this.#view = { zoom: 1, x: 0.5, y: 0.5 };
    this.repaint();
  }

  zoom(factor) {
    this.#look(this.#view.zoom * factor, this.#view.x, this.#view.y);
  }

  /** Bring a box of the picture into the middle, and near where it is small. */
  centre([x1, y1, x2, y2]) {
    const [w, h] = this.size;
    const share = Math.max((x2 - x1) / w, (y2 - y1) / h, 0.01);
    const zoom = this.#view.zoom > 1.05 ? this.#view.zoom : Math.min(4, Math.max(1.5, 0.35 / share));
    this.#view = { zoom, ...this.#inside(zoom, (x1 + x2) / 2 / w, (y1 + y2) / 2 / h) };
  }

  draw(frame, image) {
    for (const pane of this.#panes) this.#paint(pane, frame, image);
  }

  /** Place and size of the picture on a canvas, CSS px. */
  #place({ canvas }) {
    const [w, h] = this.size;
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = Math.min(width / w, height / h) * this.#view.zoom;
    const place = (part, whole, seen) => {
      const length = part * scale;
      if (length <= whole) return (whole - length) / 2;
      return Math.min(0, Math.max(whole - length, whole / 2 - seen * length));
    };
    return { scale, x: place(w, width, this.#view.x), y: place(h, height, this.#view.y) };
  }

  #fit() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    for (const { canvas, box } of this.#panes) {
      const [width, height] = [box.clientWidth, box.clientHeight];
      canvas.width = Math.max(1, Math.round(width * ratio));
      canvas.height = Math.max(1, Math.round(height * ratio));
    }
    this.repaint();
  }

  #paint(pane, frame, image) {
    const { canvas, context: c, side } = pane;
    const ratio = canvas.width / Math.max(1, canvas.clientWidth);
    const { scale, x, y } = this.#place(pane);
    const [w, h] = this.size;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.imageSmoothingEnabled = scale < 3;
    if (image) c.drawImage(image, x, y, w * scale, h * scale);
    else {
      c.fillStyle = "#23272e";
      c.fillRect(x, y, w * scale, h * scale);
    }
    c.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    c.lineJoin = "round";
    const found = side.frame(frame);
    if (!found) return;
    const objects = pane.only ? [] : found.objects.filter((one) => this.looks.shows(one));
    if (this.looks.layers.has("trails")) this.#trails(c, side, objects, frame, scale);
    for (const one of objects) this.#object(c, one, scale, pane.truth);
    if (pane.truth) for (const one of found.truth) this.#truth(c, one, scale, pane.only);
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    const chips = [];
    for (const one of objects) this.#label(c, one, { scale, x, y }, canvas, chips, pane.truth);
    if (pane.truth) {
      for (const one of found.truth) {
        if (this.looks.hidden.has(one.name) || (!pane.only && !one.missed)) continue;
        const text = one.missed ? `missed ${one.name}` : `${one.id} ${one.name}`;
        this.#chip(c, text, one.box, one.missed ? "#ff5a4f" : "#ffffff", { scale, x, y }, canvas, chips);
      }
    }
  }

  #object(c, one, scale, judged) {
    const { looks } = this;
    const chosen = looks.isChosen(one.side, one.id);
    const faint = looks.chosen && !chosen;
    const wrong = judged && one.wrong;
    const colour = wrong ? "#ff9a3c" : looks.paint(one.id, one.kind);
    const path = looks.layers.has("masks") ? pathOf(one) : null;
    if (path) {
      c.fillStyle = colour;
      c.globalAlpha = faint ? 0.14 : chosen ? 0.5 : 0.34;
      c.fill(path, "evenodd");
      c.globalAlpha = faint ? 0.4 : 0.95;
      c.strokeStyle = colour;
      c.lineWidth = (chosen ? 2.2 : 1.3) / scale;
      c.stroke(path);
    }
    const [x1, y1, x2, y2] = one.box;
    if (looks.layers.has("boxes") || chosen || !one.rings) {
      if (!looks.layers.has("boxes") && !chosen) return;
      c.globalAlpha = faint ? 0.45 : 1;
      c.setLineDash(one.made ? [6 / scale, 4 / scale] : []);
      c.strokeStyle = "rgb(0 0 0 / .55)";
      c.lineWidth = (chosen ? 5 : 3) / scale;
      c.strokeRect(x1, y1, x2 - x1, y2 - y1);
      c.strokeStyle = chosen ? "#ffffff" : colour;
      c.lineWidth = (chosen ? 2.5 : 1.6) / scale;
      c.strokeRect(x1, y1, x2 - x1, y2 - y1);
      c.setLineDash([]);
    }
    c.globalAlpha = 1;
  }

  #truth(c, one, scale, alone) {
    if (this.looks.hidden.has(one.name)) return;
    const [x1, y1, x2, y2] = one.box;
    const colour = one.missed ? "#ff5a4f" : "#ffffff";
    const path = pathOf(one);
    c.strokeStyle = "rgb(0 0 0 / .6)";
    c.lineWidth = 3 / scale;
    c.setLineDash([]);
    if (path) c.stroke(path);
    else c.strokeRect(x1, y1, x2 - x1, y2 - y1);
    c.strokeStyle = colour;
    c.lineWidth = (one.missed ? 2.2 : 1.4) / scale;
    c.setLineDash(alone && !one.missed ? [] : [5 / scale, 4 / scale]);
    if (path) c.stroke(path);
    else c.strokeRect(x1, y1, x2 - x1, y2 - y1);
    c.setLineDash([]);
    if (one.missed) {
      c.fillStyle = "rgb(255 90 79 / .18)";
      if (path) c.fill(path, "evenodd");
      else c.fillRect(x1, y1, x2 - x1, y2 - y1);
    }
  }

  /** Where each object was before: the middle of the lower side of its box. */
  #trails(c, side, objects, frame, scale) {
    const lines = new Map(objects.map((one) => [one.id, { one, points: [] }]));
    for (let back = Math.max(0, frame - TRAIL); back <= frame; back += 1) {
      for (const { id, box } of side.peek(back)?.objects ?? []) {
        lines.get(id)?.points.push([(box[0] + box[2]) / 2, box[3]]);
      }
    }
    for (const { one, points } of lines.values()) {
      if (points.length < 2) continue;
      c.beginPath();
      points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
      for (const [colour, width] of [["rgb(0 0 0 / .5)", 4], [this.looks.paint(one.id, one.kind), 2]]) {
        c.strokeStyle = colour;
        c.lineWidth = width / scale;
        c.stroke();
      }
    }
  }

  #label(c, one, at, canvas, chips, judged) {
    const { layers } = this.looks;
    const chosen = this.looks.isChosen(one.side, one.id);
    if (this.looks.chosen && !chosen) return;
    const parts = [];
    if (layers.has("ids") || chosen) parts.push(`${one.id}`);
    if (layers.has("labels") || chosen) {
      parts.push(one.side.name(one.kind));
      if (chosen || canvas.clientWidth > NARROW) parts.push(one.made ? "between" : short(one.score));
    }
    const wrong = judged && one.wrong;
    if (wrong) parts.push("false");
    if (!parts.length) return;
    const colour = wrong ? "#ff9a3c" : this.looks.paint(one.id, one.kind);
    this.#chip(c, parts.join(" "), one.box, chosen ? "#ffffff" : colour, at, canvas, chips);
  }

  /** A text at the upper left of a box, inside of the canvas and beside the other chips where it can. */
  #chip(c, text, [x1, y1, , y2], colour, { scale, x, y }, canvas, chips) {
    c.font = '600 12px system-ui, "DejaVu Sans", sans-serif';
    const [width, height] = [c.measureText(text).width + 8, 17];
    const left = Math.max(0, Math.min(x + x1 * scale, canvas.clientWidth - width));
    if (x + x1 * scale > canvas.clientWidth || y + y2 * scale < 0) return;
    let top = Math.max(0, y + y1 * scale - height);
    if (top > canvas.clientHeight) return;
    const meets = (t) => chips.some(([l, u, w]) => left < l + w && l < left + width && Math.abs(u - t) < height);
    for (const tried of [top, y + y2 * scale, y + y1 * scale]) {
      if (tried >= 0 && tried < canvas.clientHeight - height && !meets(tried)) {
        top = tried;
        break;
      }
    }
    chips.push([left, top, width]);
    c.fillStyle = colour;
    c.globalAlpha = 0.92;
    c.beginPath();
    c.roundRect(left, top, width, height, 3);
    c.fill();
    c.globalAlpha = 1;
    c.fillStyle = "#101317";
    c.fillText(text, left + 4, top + 12.5);
  }

  // Mouse and fingers

  #listen() {
    const { element } = this;
    element.addEventListener("wheel", (event) => {
      const pane = this.#pane(event);
      if (!pane) return;
      event.preventDefault();
      this.#about(pane, event, Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)));
    }, { passive: false });
    element.addEventListener("pointerdown", (event) => {
      if (!this.#pane(event) || event.button) return;
      event.target.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, [event.clientX, event.clientY]);
      this.#moved = this.#pointers.size > 1 ? SLOP + 1 : 0;
      this.#pinch = null;
    });
    element.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      element.addEventListener(name, (event) => {
        if (!this.#pointers.delete(event.pointerId)) return;
        this.#pinch = null;
        if (name === "pointerup" && this.#moved <= SLOP && !this.#pointers.size) this.#clicked(event);
      });
    }
    element.addEventListener("dblclick", () => this.fit());
  }

  #pane(event) {
    return this.#panes.find(({ canvas }) => canvas === event.target);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    const pane = this.#pane(event);
    if (!before || !pane) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    this.#pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.#moved += Math.hypot(dx, dy);
    if (this.#pointers.size === 2) {
      const [[ax, ay], [bx, by]] = [...this.#pointers.values()];
      const [apart, middle] = [Math.hypot(ax - bx, ay - by), { clientX: (ax + bx) / 2, clientY: (ay + by) / 2 }];
      if (this.#pinch) this.#about(pane, middle, apart / this.#pinch);
      this.#pinch = apart;
    } else if (this.#moved > SLOP && this.#view.zoom > 1) {
      const { scale } = this.#place(pane);
      const [w, h] = this.size;
      this.looks.following = false;
      this.#look(this.#view.zoom, this.#view.x - dx / (w * scale), this.#view.y - dy / (h * scale));
    }
  }

  /** Nearer or farther; what is under the pointer stays there. */
  #about(pane, { clientX, clientY }, factor) {
    const box = pane.canvas.getBoundingClientRect();
    const { scale, x, y } = this.#place(pane);
    const [w, h] = this.size;
    const zoom = Math.min(NEAREST, Math.max(1, this.#view.zoom * factor));
    const larger = (scale / this.#view.zoom) * zoom;
    const [px, py] = [(clientX - box.left - x) / (w * scale), (clientY - box.top - y) / (h * scale)];
    const seenX = px + (box.width / 2 - (clientX - box.left)) / (w * larger);
    const seenY = py + (box.height / 2 - (clientY - box.top)) / (h * larger);
    this.#look(zoom, seenX, seenY);
  }

  #look(zoom, x, y) {
    const kept = Math.min(NEAREST, Math.max(1, zoom));
    this.#view = { zoom: kept, ...this.#inside(kept, x, y) };
    this.repaint();
  }

  #inside(zoom, x, y) {
    const half = 0.5 / zoom;
    const within = (value) => Math.min(Math.max(value, Math.min(half, 0.5)), Math.max(1 - half, 0.5));
    return { x: within(x), y: within(y) };
  }

  #clicked(event) {
    const pane = this.#pane(event);
    if (!pane) return;
    const box = pane.canvas.getBoundingClientRect();
    const { scale, x, y } = this.#place(pane);
    const at = [(event.clientX - box.left - x) / scale, (event.clientY - box.top - y) / scale];
    const found = this.#under(pane, at, 4 / scale);
    this.looks.choose(pane.side, found);
  }

  /** The track whose object is there: the smallest of those that have the place. */
  #under({ side, context, only }, [x, y], near) {
    const frame = side.peek(this.frame);
    if (!frame) return null;
    const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);
    const has = ([x1, y1, x2, y2]) => x > x1 - near && x < x2 + near && y > y1 - near && y < y2 + near;
    if (only) {
      const hit = frame.truth.filter((one) => has(one.box)).sort((a, b) => area(a.box) - area(b.box))[0];
      return hit && hit.track >= 0 ? hit.track : null;
    }
    const there = frame.objects.filter((one) => this.looks.shows(one) && has(one.box));
    context.save();
    context.resetTransform();
    const inMask = there.filter((one) => one.rings && context.isPointInPath(pathOf(one), x, y, "evenodd"));
    context.restore();
    const [best] = (inMask.length ? inMask : there).sort((a, b) => area(a.box) - area(b.box));
    return best ? best.id : null;
  }
}

function short(score) {
  return score.toFixed(2).replace(/^0/, "");
}
