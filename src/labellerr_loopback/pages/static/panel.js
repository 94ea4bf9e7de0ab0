// What the panel beside the picture shows.

import { canSplit, framesOf, lastOutline } from "./tracks.js";

export const $ = (id) => document.getElementById(id);
export const what = $("work").dataset.kind; // "picture" or "video"
const WORDS = JSON.parse($("work").dataset.words); // for each status
export const isVideo = what === "video";

export function showPlayer(editor) {
  const { frame, last, times, playing } = editor.player;
  $("play").textContent = playing ? "Pause" : "Play";
  $("stage").classList.toggle("playing", playing); // seams cost too much for each frame
  $("frame").value = frame;
  $("time").textContent = `${frame} / ${last} · ${times[frame].toFixed(2)} s`;
}

export function showPanel(editor, answer, outline) {
  const status = $("status");
  status.textContent = WORDS[editor.status] ?? editor.status;
  status.className = `status ${editor.status}`;
  for (const button of document.querySelectorAll("[data-status]")) {
    button.classList.toggle("now", button.dataset.status === editor.status);
  }
  $("undo").disabled = !editor.history.canUndo && !editor.canvas.isDrawing;
  $("redo").disabled = !editor.history.canRedo;
  $("labels").setAttribute("aria-pressed", editor.names);
  $("draw").setAttribute("aria-pressed", editor.canvas.isDrawing);
  $("finish").hidden = $("cancel").hidden = !editor.canvas.isDrawing;
  $("selected").hidden = !answer;
  if (!answer) return;
  $("selected").querySelector("legend").textContent = editor.textOf(answer);
  $("class-of").value = answer.question_id;
  for (const option of $("class-of").options) {
    option.disabled = option.dataset.kind !== editor.question(answer).kind;
  }
  $("delete-point").hidden = editor.point === null || editor.isBox(answer);
  if (!answer.track) return;
  $("name").value = answer.track.name ?? "";
  $("name").placeholder = `${editor.question(answer).name} ${editor.numbers.get(answer.id)}`;
  $("split").disabled = !canSplit(answer.track, editor.frame);
  $("join").disabled = editor.answers.size < 2;
  $("join").setAttribute("aria-pressed", editor.joining);
  $("extend").disabled = Boolean(outline?.exact) || !lastOutline(answer.track, editor.frame);
  $("drop-frame").disabled = !outline?.exact;
}

export function showObjects(editor, shown) {
  const list = $("objects");
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  list.replaceChildren(...shown.map((answer) => row(editor, answer)));
  if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  const hidden = editor.answers.size - shown.length;
  const noun = isVideo ? "track" : "object";
  const count = `${shown.length} ${noun}${shown.length === 1 ? "" : "s"}`;
  $("count").textContent = hidden ? `${count}, ${hidden} less confident hidden, not deleted` : count;
}

function row(editor, answer) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.id = answer.id;
  button.setAttribute("aria-pressed", answer.id === editor.selected);
  button.classList.toggle("away", !editor.outline(answer));
  const { colour } = editor.question(answer);
  button.append(rectangle("swatch", 1, [[0, 1]], colour));
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = editor.nameOf(answer);
  const score = document.createElement("span");
  score.className = "score";
  score.textContent = answer.score === null ? "" : answer.score.toFixed(2);
  button.append(name, score);
  if (answer.track) {
    const frames = framesOf(answer.track);
    const span = frames.length ? [[frames[0], frames.at(-1) - frames[0] + 1]] : [];
    button.append(rectangle("span", editor.player.times.length, span, colour));
  }
  button.addEventListener("click", () => {
    editor.chosen(answer.id);
    editor.visit();
  });
  const item = document.createElement("li");
  item.append(button);
  return item;
}

/** What somebody said of this file; `look` is told the outline that a remark is about. */
export function showRemarks(remarks, look) {
  $("remarks").hidden = !remarks.length;
  $("remarks").querySelector("ul").replaceChildren(...remarks.map(({ text, outline }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.disabled = !outline;
    button.addEventListener("click", () => look(outline));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
}

/** Whether the work is saved, and what is in the way. */
export function showSaving(state, detail) {
  const words = { saved: "saved", saving: "saving …", conflict: "not saved", failed: "not saved", refused: "not saved" };
  $("saved").textContent = words[state];
  $("conflict").hidden = state !== "conflict";
  $("trouble").hidden = state !== "failed" && state !== "refused";
  if (state === "conflict") {
    $("conflict").querySelector("p").textContent =
      `This ${what} was changed after you opened it, in another tab or by a job of the platform. ` +
      "What you did last is not saved.";
  } else if (detail) {
    const way = state === "failed" ? "It is tried again by itself." : "Undo what you did last, or load the page again.";
    $("trouble").querySelector("p").textContent = `Not saved: ${detail} ${way}`;
  }
}

export function hint(text) {
  $("hint").textContent = text;
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
