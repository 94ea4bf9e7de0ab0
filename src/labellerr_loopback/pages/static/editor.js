// The file that is worked on: outlines or tracks, what a person does with them, and the decision.

import { History, Saver } from "./answers.js";
import { Canvas } from "./canvas.js";
import { $, hint, isVideo, showObjects, showPanel, showPlayer, showRemarks, showSaving, what } from "./panel.js";
import { Player } from "./player.js";
import {
  canSplit, framesOf, inBoth, join, lastOutline, outlineAt, split, withOutline, withoutFrame,
} from "./tracks.js";

const BANDS = ["low", "medium", "high"];
const GREY = "#808080";

/** The one after (step 1) or before (-1) another, round and round; of none the first or last. */
function following(ids, id, step) {
  const place = ids.indexOf(id);
  return ids[place < 0 ? (step > 0 ? 0 : ids.length - 1) : (place + step + ids.length) % ids.length];
}

/** A file, what a person has made of it, and what is chosen. */
export class Editor {
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
    this.show = $("work").dataset.show;
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
    this.canvas.mark(file.remarks.flatMap(({ outline }) => (outline ? [outline] : [])));
    showRemarks(file.remarks, (outline) => this.canvas.near(outline));
    this.number();
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
    hint(answer ? `${this.textOf(answer)} is selected` : "");
  }

  cycle(step) {
    const ids = this.shown().map((answer) => answer.id);
    if (!ids.length) return;
    if (this.joining) return this.offer(ids.filter((id) => id !== this.selected), step);
    this.select(following(ids, this.selected, step));
    this.visit();
  }

  /** Of tracks to join with, go to the next in the list, where Enter takes it. */
  offer(ids, step) {
    const id = following(ids, document.activeElement.dataset.id, step);
    if (!id) return;
    this.visit(id);
    $("objects").querySelector(`[data-id="${CSS.escape(id)}"]`).focus();
    const [first, second] = [this.selected, id].map((one) => this.nameOf(this.answers.get(one)));
    hint(`Enter joins ${second} with ${first}; Esc stops`);
  }

  /** Show a track, or the selected one, where it is. */
  visit(id = this.selected) {
    const { track } = this.answers.get(id) ?? {};
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
    hint(`point ${index + 1} of ${points.length}, at ${x}, ${y}`);
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
      if (!this.canvas.remove(this.point)) hint("An outline needs its points; Esc, then Del deletes the object");
    } else if (this.selected) {
      const name = this.nameOf(this.answers.get(this.selected));
      this.change([], [this.selected]);
      hint(`${name} is deleted; undo brings it back`);
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
    hint(
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
    hint(`${this.nameOf(this.answers.get(id))} is added`);
  }

  stop() {
    if (this.canvas.isDrawing) this.canvas.cancel();
    else if (this.joining) this.joining = false;
    else if (this.point !== null) this.point = null;
    else this.selected = null;
    hint("");
    this.render();
  }

  /** Zoom to what is selected. */
  near() {
    const answer = this.answers.get(this.selected);
    const outline = answer && this.outline(answer);
    if (outline) this.canvas.near(outline.points);
  }

  toggleNames() {
    this.names = !this.names;
    this.render();
  }

  classKey(index) {
    const id = [...this.questions.keys()][index];
    if (!id) return;
    if (this.selected && !this.canvas.isDrawing) this.reclass(id);
    else $("class").value = id;
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
    hint(`${this.nameOf(answer)} ends before this frame; ${this.nameOf(this.answers.get(id))} goes on`);
  }

  startJoining() {
    this.joining = !this.joining && Boolean(this.track());
    this.render();
    hint(this.joining ? "Choose the other track, in the video or in the list (O, I, then Enter); Esc stops" : "");
  }

  join(id) {
    const [first, second] = [this.answers.get(this.selected), this.answers.get(id)];
    const both = inBoth(first.track, second.track);
    const text = `${this.nameOf(second)} is ${this.nameOf(first)} now`;
    this.joining = false;
    this.change([{ ...first, track: join(first.track, second.track) }], [id]);
    hint(both ? `${text}; on ${both} frame${both === 1 ? "" : "s"} both had an outline, the first one's stayed` : text);
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
    else hint(where === "next" ? `That was the last ${what} here` : `This is the first ${what} here`);
  }

  told(state, detail) {
    if (state === "conflict") this.theirs = detail;
    showSaving(state, detail);
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
    if (isVideo) showPlayer(this);
    if (!this.player?.playing) {
      showPanel(this, answer, outline);
      showObjects(this, shown);
    }
  }
}
