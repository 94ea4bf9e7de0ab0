// The page of one picture or video: outlines to correct, a decision, and on to the next.

import { History, Saver } from "./answers.js";
import { Canvas } from "./canvas.js";
import { Player } from "./player.js";
import {
  canSplit, framesOf, inBoth, join, lastOutline, outlineAt, split, withOutline, withoutFrame,
} from "./tracks.js";

const BANDS = ["low", "medium", "high"];
const GREY = "#808080";
const WORDS = { None: "to do", r_assigned: "assigned for review", cr_assigned: "assigned for client review" };
const $ = (id) => document.getElementById(id);
const work = $("work");
const what = work.dataset.kind;
const isVideo = what === "video";

class Editor {
  selected = null; // id of an answer
  point = null; // index of the chosen point of its outline
  joining = false;
  names = true;
  numbers = new Map(); // of tracks, as people see them

  constructor(file) {
    this.questions = new Map(file.questions.map((question) => [question.id, question]));
    this.saver = new Saver("answers", (state, detail) => this.told(state, detail));
    this.history = new History(this.saver.seen(file));
    this.status = file.status;
    this.show = work.dataset.show;
    this.canvas = new Canvas($("stage"), file.width, file.height, !isVideo, {
      select: (id) => this.chosen(id),
      outline: (points, point) => this.redrawn(points, point),
      point: (index) => this.choosePoint(index),
      drawing: (count) => this.hintDrawing(count),
      drawn: (points) => this.drawn(points),
    });
    if (isVideo) {
      this.player = new Player(this.canvas, file.times, () => this.moved());
      $("frame").max = this.player.last;
    } else {
      window.L.imageOverlay("media", this.canvas.bounds, { alt: "" }).addTo(this.canvas.map);
    }
    this.number();
    this.bind();
    this.render();
    this.told("saved");
    const next = $("next").href;
    if (next && !isVideo) new Image().src = new URL("media", next.replace(/\?.*/, ""));
  }

  // What is there

  get answers() {
    return this.history.now;
  }

  get frame() {
    return this.player?.frame ?? 0;
  }

  question(answer) {
    return this.questions.get(answer.question_id) ?? { name: "(no class)", colour: GREY, kind: "" };
  }

  nameOf(answer) {
    const { name } = this.question(answer);
    return answer.track ? answer.track.name || `${name} ${this.numbers.get(answer.id)}` : name;
  }

  textOf(answer) {
    return this.nameOf(answer) + (answer.score === null ? "" : ` ${answer.score.toFixed(2)}`);
  }

  isBox(answer) {
    return answer.kind === "box" || this.question(answer).kind === "BoundingBox";
  }

  outline(answer) {
    return answer.track ? outlineAt(answer.track, this.frame) : { points: answer.points, exact: true };
  }

  /** What the confidence lets through, the least sure first; the selected one is never hidden. */
  shown() {
    const least = BANDS.indexOf(this.show);
    const lets = (answer) => BANDS.indexOf(answer.band) >= least || answer.id === this.selected;
    const sure = (answer) => answer.score ?? 1;
    return [...this.answers.values()].filter(lets).sort((a, b) => sure(a) - sure(b));
  }

  number() {
    for (const { id } of this.answers.values()) {
      if (!this.numbers.has(id)) this.numbers.set(id, this.numbers.size + 1);
    }
  }

  // What a person does

  change(put, removed = []) {
    this.history.change(put.map((answer) => ({ ...answer, band: "high", source: "human" })), removed);
    this.after();
  }

  after() {
    this.number();
    if (!this.answers.has(this.selected)) this.selected = null;
    this.point = null;
    this.save();
    this.render();
  }

  save() {
    return this.saver.want(this.answers, this.status);
  }

  undo() {
    if (this.canvas.isDrawing) this.canvas.takeBack();
    else {
      this.history.undo();
      this.after();
    }
  }

  redo() {
    this.history.redo();
    this.after();
  }

  chosen(id) {
    if (this.joining && id !== null && id !== this.selected) this.join(id);
    else this.select(id);
  }

  select(id) {
    this.selected = id;
    this.point = null;
    this.joining = false;
    this.render();
    $("objects").querySelector("[aria-pressed=true]")?.scrollIntoView({ block: "nearest" });
    const answer = this.answers.get(id);
    this.hint(answer ? `${this.textOf(answer)} is selected` : "");
  }

  cycle(step) {
    const ids = this.shown().map((answer) => answer.id);
    if (!ids.length) return;
    const place = ids.indexOf(this.selected);
    this.select(ids[place < 0 ? (step > 0 ? 0 : ids.length - 1) : (place + step + ids.length) % ids.length]);
    this.visit();
  }

  /** Show a selected track where it is. */
  visit() {
    const { track } = this.answers.get(this.selected) ?? {};
    if (track && !outlineAt(track, this.frame)) this.player.go(framesOf(track)[0] ?? 0);
  }

  redrawn(points, point = null) {
    const answer = this.answers.get(this.selected);
    if (answer.track) {
      const time = this.player.times[this.frame];
      const track = withOutline(answer.track, this.frame, points, this.isBox(answer), time);
      this.change([{ ...answer, track }]);
    } else {
      this.change([{ ...answer, points }]);
    }
    if (point !== null) this.choosePoint(point);
  }

  choosePoint(index) {
    this.point = index;
    this.render();
    if (index === null) return;
    const { points } = this.outline(this.answers.get(this.selected));
    const [x, y] = points[index].map((value) => Math.round(value));
    this.hint(`point ${index + 1} of ${points.length}, at ${x}, ${y}`);
  }

  cyclePoint(step) {
    const outline = this.selected && this.outline(this.answers.get(this.selected));
    if (!outline) return;
    const { length } = outline.points;
    this.choosePoint(this.point === null ? 0 : (this.point + step + length) % length);
  }

  nudge(x, y) {
    const index = this.point;
    const [left, top] = this.outline(this.answers.get(this.selected)).points[index];
    this.canvas.move(index, [left + x, top + y]);
    this.choosePoint(index);
  }

  delete() {
    if (this.point !== null) {
      if (!this.canvas.remove(this.point)) this.hint("An outline needs its points; Esc, then Del deletes the object");
    } else if (this.selected) {
      const name = this.nameOf(this.answers.get(this.selected));
      this.change([], [this.selected]);
      this.hint(`${name} is deleted; undo brings it back`);
    }
  }

  reclass(id) {
    const answer = this.answers.get(this.selected);
    if (this.questions.get(id)?.kind !== this.question(answer).kind) return;
    this.change([{ ...answer, question_id: id }]);
  }

  draw() {
    if (this.canvas.isDrawing) return this.stop();
    const question = this.questions.get($("class").value);
    if (!question) return;
    this.player?.pause();
    this.select(null);
    this.canvas.draw(question.colour, question.kind === "BoundingBox");
    this.render();
  }

  hintDrawing(count) {
    const isBox = this.questions.get($("class").value).kind === "BoundingBox";
    this.hint(
      isBox ? "Click two opposite corners" :
      count < 3 ? `Click around the object; ${3 - count} more point${count === 2 ? "" : "s"} at least` :
      "The first point, Enter or a double click closes the outline",
    );
    $("finish").disabled = count < (isBox ? 2 : 3);
  }

  drawn(points) {
    const id = crypto.randomUUID();
    const question_id = $("class").value;
    const made = { id, question_id, score: null };
    if (isVideo) {
      const isBox = this.questions.get(question_id).kind === "BoundingBox";
      const time = this.player.times[this.frame];
      const track = withOutline({ frames: {} }, this.frame, points, isBox, time);
      this.selected = id;
      this.change([{ ...made, kind: "track", track }]);
    } else {
      this.selected = id;
      const isBox = this.questions.get(question_id).kind === "BoundingBox";
      this.change([{ ...made, kind: isBox ? "box" : "polygon", points }]);
    }
    this.hint(`${this.nameOf(this.answers.get(id))} is added`);
  }

  stop() {
    if (this.canvas.isDrawing) this.canvas.cancel();
    else if (this.joining) this.joining = false;
    else if (this.point !== null) this.point = null;
    else this.selected = null;
    this.hint("");
    this.render();
  }

  // Tracks

  track() {
    return this.answers.get(this.selected)?.track;
  }

  retrack(track) {
    this.change([{ ...this.answers.get(this.selected), track }]);
  }

  rename(text) {
    const { name, ...rest } = this.track();
    if ((name ?? "") !== text) this.retrack(text ? { ...rest, name: text } : rest);
  }

  split() {
    const answer = this.answers.get(this.selected);
    if (!answer?.track || !canSplit(answer.track, this.frame)) return;
    const [before, after] = split(answer.track, this.frame);
    const id = crypto.randomUUID();
    this.change([{ ...answer, track: before }, { ...answer, id, score: null, track: after }]);
    this.select(id);
    this.hint(`${this.nameOf(answer)} ends before this frame; ${this.nameOf(this.answers.get(id))} goes on`);
  }

  startJoining() {
    this.joining = !this.joining && Boolean(this.track());
    this.render();
    this.hint(this.joining ? "Choose the other track, in the video or in the list; Esc stops" : "");
  }

  join(id) {
    const [first, second] = [this.answers.get(this.selected), this.answers.get(id)];
    const both = inBoth(first.track, second.track);
    const text = `${this.nameOf(second)} is ${this.nameOf(first)} now`;
    this.joining = false;
    this.change([{ ...first, track: join(first.track, second.track) }], [id]);
    this.hint(both ? `${text}; on ${both} frame${both === 1 ? "" : "s"} both had an outline, the first one's stayed` : text);
  }

  extend() {
    const answer = this.answers.get(this.selected);
    const last = answer?.track && lastOutline(answer.track, this.frame);
    if (last) this.redrawn(last.points);
  }

  dropFrame() {
    const track = this.track();
    if (!track?.frames[this.frame]) return;
    const left = withoutFrame(track, this.frame);
    if (left) this.retrack(left);
    else this.delete();
  }

  // Decisions

  async decide(status) {
    this.canvas.cancel();
    this.status = status;
    this.render();
    await this.save();
    if (status !== "None" && !this.saver.pending) this.go("next");
  }

  async go(where) {
    await this.save();
    if (this.saver.pending) return; // what is not saved is not left behind
    const { href } = $(where);
    if (href) location.assign(href);
    else this.hint(where === "next" ? `That was the last ${what} here` : `This is the first ${what} here`);
  }

  told(state, detail) {
    const words = { saved: "saved", saving: "saving …", conflict: "not saved", failed: "not saved", refused: "not saved" };
    $("saved").textContent = words[state];
    $("conflict").hidden = state !== "conflict";
    $("trouble").hidden = state !== "failed" && state !== "refused";
    if (state === "conflict") {
      this.theirs = detail;
      $("conflict").querySelector("p").textContent =
        `This ${what} was changed after you opened it, in another tab or by a job of the platform. ` +
        "What you did last is not saved.";
    } else if (detail) {
      const way = state === "failed" ? "It is tried again by itself." : "Undo what you did last, or load the page again.";
      $("trouble").querySelector("p").textContent = `Not saved: ${detail} ${way}`;
    }
  }

  /** Take what somebody else made of the file; undo brings one's own back. */
  takeTheirs() {
    this.history.replace(this.saver.seen(this.theirs));
    this.status = this.theirs.status;
    this.after();
  }

  saveMine() {
    if (this.status === this.saver.status) this.status = this.theirs.status;
    this.saver.overwrite(this.theirs);
    this.render();
  }

  // What is seen

  moved() {
    this.point = null;
    if (this.canvas.isDrawing) this.stop();
    this.render();
  }

  render() {
    const answer = this.answers.get(this.selected);
    const shown = this.shown();
    const shapes = shown.flatMap((one) => {
      const outline = this.outline(one);
      if (!outline) return [];
      const { colour } = this.question(one);
      const selected = one.id === this.selected;
      return [{ id: one.id, points: outline.points, ghost: !outline.exact, colour, selected, text: this.textOf(one) }];
    });
    this.canvas.show(shapes, this.names);
    const outline = answer && this.outline(answer);
    if (outline && !this.player?.playing && !this.canvas.isDrawing && !this.joining) {
      this.canvas.edit(answer.id, outline.points, this.isBox(answer), this.point);
    } else {
      this.canvas.stopEditing();
    }
    if (isVideo) this.renderPlayer();
    if (!this.player?.playing) {
      this.renderPanel(answer, outline);
      this.renderObjects(shown);
    }
  }

  renderPlayer() {
    const { frame, last, times, playing } = this.player;
    $("play").textContent = playing ? "Pause" : "Play";
    $("stage").classList.toggle("playing", playing); // seams cost too much for each frame
    $("frame").value = frame;
    $("time").textContent = `${frame} / ${last} · ${times[frame].toFixed(2)} s`;
  }

  renderPanel(answer, outline) {
    const status = $("status");
    status.textContent = WORDS[this.status] ?? this.status.replace("_", " ");
    status.className = `status ${this.status}`;
    for (const button of document.querySelectorAll("[data-status]")) {
      button.classList.toggle("now", button.dataset.status === this.status);
    }
    $("undo").disabled = !this.history.canUndo && !this.canvas.isDrawing;
    $("redo").disabled = !this.history.canRedo;
    $("labels").setAttribute("aria-pressed", this.names);
    $("draw").setAttribute("aria-pressed", this.canvas.isDrawing);
    $("finish").hidden = $("cancel").hidden = !this.canvas.isDrawing;
    $("selected").hidden = !answer;
    if (!answer) return;
    $("selected").querySelector("legend").textContent = this.textOf(answer);
    $("class-of").value = answer.question_id;
    for (const option of $("class-of").options) {
      option.disabled = option.dataset.kind !== this.question(answer).kind;
    }
    $("delete-point").hidden = this.point === null || this.isBox(answer);
    if (!answer.track) return;
    $("name").value = answer.track.name ?? "";
    $("name").placeholder = `${this.question(answer).name} ${this.numbers.get(answer.id)}`;
    $("split").disabled = !canSplit(answer.track, this.frame);
    $("join").disabled = this.answers.size < 2;
    $("join").setAttribute("aria-pressed", this.joining);
    $("extend").disabled = Boolean(outline?.exact) || !lastOutline(answer.track, this.frame);
    $("drop-frame").disabled = !outline?.exact;
  }

  renderObjects(shown) {
    const list = $("objects");
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    list.replaceChildren(...shown.map((answer) => this.row(answer)));
    if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
    const hidden = this.answers.size - shown.length;
    const noun = isVideo ? "track" : "object";
    const count = `${shown.length} ${noun}${shown.length === 1 ? "" : "s"}`;
    $("count").textContent = hidden ? `${count}, ${hidden} less confident not shown` : count;
  }

  row(answer) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.id = answer.id;
    button.setAttribute("aria-pressed", answer.id === this.selected);
    button.classList.toggle("away", !this.outline(answer));
    const { colour } = this.question(answer);
    button.append(rectangle("swatch", 1, [[0, 1]], colour));
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = this.nameOf(answer);
    const score = document.createElement("span");
    score.className = "score";
    score.textContent = answer.score === null ? "" : answer.score.toFixed(2);
    button.append(name, score);
    if (answer.track) {
      const frames = framesOf(answer.track);
      const span = frames.length ? [[frames[0], frames.at(-1) - frames[0] + 1]] : [];
      button.append(rectangle("span", this.player.times.length, span, colour));
    }
    button.addEventListener("click", () => {
      this.chosen(answer.id);
      this.visit();
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  hint(text) {
    $("hint").textContent = text;
  }

  // Buttons and keys

  bind() {
    const click = (id, act) => $(id)?.addEventListener("click", act);
    const change = (id, act) => $(id)?.addEventListener("change", act);
    for (const button of document.querySelectorAll("[data-status]")) {
      button.addEventListener("click", () => this.decide(button.dataset.status));
    }
    for (const radio of document.querySelectorAll("[name=show]")) {
      radio.addEventListener("change", () => {
        this.show = radio.value;
        this.render();
      });
    }
    for (const select of document.querySelectorAll("select")) {
      // Chosen with the mouse, it gives the keys back; with the keys it is still in use.
      let pointed = false;
      select.addEventListener("pointerdown", () => (pointed = true));
      select.addEventListener("keydown", () => (pointed = false));
      select.addEventListener("change", () => pointed && select.blur());
    }
    for (const where of ["previous", "next", "grid"]) {
      $(where).addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab
        event.preventDefault();
        this.go(where);
      });
    }
    click("undo", () => this.undo());
    click("redo", () => this.redo());
    click("fit", () => this.canvas.fit());
    click("near", () => this.near());
    click("labels", () => this.toggleNames());
    click("help", () => $("keys").showModal());
    click("draw", () => this.draw());
    click("finish", () => this.canvas.finish());
    click("cancel", () => this.stop());
    click("delete", () => {
      this.point = null;
      this.delete();
    });
    click("delete-point", () => this.delete());
    change("class-of", (event) => this.reclass(event.target.value));
    change("name", (event) => this.rename(event.target.value.trim()));
    click("split", () => this.split());
    click("join", () => this.startJoining());
    click("extend", () => this.extend());
    click("drop-frame", () => this.dropFrame());
    click("play", () => this.player.toggle());
    click("back", () => this.player.step(-1));
    click("forth", () => this.player.step(1));
    $("frame")?.addEventListener("input", (event) => this.player.step(+event.target.value - this.frame));
    click("theirs", () => this.takeTheirs());
    click("mine", () => this.saveMine());
    click("again", () => this.saver.again());
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("beforeunload", (event) => {
      if (this.saver.pending) event.preventDefault();
    });
  }

  near() {
    const answer = this.answers.get(this.selected);
    const outline = answer && this.outline(answer);
    if (outline) this.canvas.near(outline.points);
  }

  toggleNames() {
    this.names = !this.names;
    this.render();
  }

  key(event) {
    if ($("keys").open || event.target.matches("input[type=text]")) return;
    const control = event.ctrlKey || event.metaKey;
    if (event.target.matches("select") && !control) return; // letters choose from it
    const onControl = event.target.matches("button, a, input");
    if (onControl && [" ", "Enter"].includes(event.key)) return;
    if (event.target.matches("input") && event.key.startsWith("Arrow")) return;
    const act = control ? this.control(event) : event.altKey ? null : this.plain(event);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  control({ key, shiftKey }) {
    if (key.toLowerCase() === "y") return () => this.redo();
    if (key.toLowerCase() === "z") return () => (shiftKey ? this.redo() : this.undo());
    return null;
  }

  plain({ key, shiftKey }) {
    if (this.canvas.isDrawing) {
      if (key === "Enter") return () => this.canvas.finish();
      if (key === "Backspace") return () => this.canvas.takeBack();
    }
    if (/^[1-9]$/.test(key)) return () => this.classKey(+key - 1);
    if (key.startsWith("Arrow")) return this.arrow(key, shiftKey ? 10 : 1);
    const keys = {
      a: () => this.decide("accepted"),
      r: () => this.decide("rejected"),
      s: () => this.decide("skipped"),
      t: () => this.decide("None"),
      n: () => this.go("next"),
      p: () => this.go("previous"),
      o: () => this.cycle(1),
      i: () => this.cycle(-1),
      d: () => this.draw(),
      f: () => this.near(),
      l: () => this.toggleNames(),
      "]": () => this.cyclePoint(1),
      "[": () => this.cyclePoint(-1),
      insert: () => this.point !== null && this.canvas.insertAfter(this.point),
      delete: () => this.delete(),
      backspace: () => this.delete(),
      escape: () => this.stop(),
      "+": () => this.canvas.zoom(1),
      "=": () => this.canvas.zoom(1),
      "-": () => this.canvas.zoom(-1),
      0: () => this.canvas.fit(),
      "?": () => $("keys").showModal(),
      ...(isVideo && {
        " ": () => this.player.toggle(),
        x: () => this.split(),
        j: () => this.startJoining(),
      }),
    };
    return keys[key.toLowerCase()];
  }

  arrow(key, size) {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (this.point !== null) return () => this.nudge(x * size, y * size);
    if (isVideo && x) return () => this.player.step(x * size);
    return null; // the map moves by itself
  }

  classKey(index) {
    const id = [...this.questions.keys()][index];
    if (!id) return;
    if (this.selected && !this.canvas.isDrawing) this.reclass(id);
    else $("class").value = id;
  }
}

/** A small picture of bars, [from, length] of a whole. */
function rectangle(name, whole, bars, colour) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", name);
  svg.setAttribute("viewBox", `0 0 ${whole} 1`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const [x, width] of bars) {
    const bar = document.createElementNS(space, "rect");
    for (const [key, value] of Object.entries({ x, width, height: 1, fill: colour })) bar.setAttribute(key, value);
    svg.append(bar);
  }
  return svg;
}

work.style.setProperty("--ratio", work.dataset.height / work.dataset.width);
const answer = await fetch("answers", { cache: "no-store" });
if (answer.ok) {
  new Editor((await answer.json()).response);
  work.dataset.ready = "true";
} else {
  $("trouble").hidden = false;
  $("again").hidden = true;
  $("trouble").querySelector("p").textContent = `The answers cannot be shown: ${(await answer.text()).slice(0, 300)}`;
}
