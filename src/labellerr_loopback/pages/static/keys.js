// Buttons and keys.

import { $, isVideo } from "./panel.js";

/** Everything on the page does what it says. */
export function bind(editor) {
  const click = (id, act) => $(id)?.addEventListener("click", act);
  const change = (id, act) => $(id)?.addEventListener("change", act);
  for (const button of document.querySelectorAll("[data-status]")) {
    button.addEventListener("click", () => editor.decide(button.dataset.status));
  }
  for (const radio of document.querySelectorAll("[name=show]")) {
    radio.addEventListener("change", () => {
      editor.show = radio.value;
      editor.render();
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
      editor.go(where);
    });
  }
  click("undo", () => editor.undo());
  click("redo", () => editor.redo());
  click("fit", () => editor.canvas.fit());
  click("near", () => editor.near());
  click("labels", () => editor.toggleNames());
  click("help", () => $("keys").showModal());
  click("draw", () => editor.draw());
  click("finish", () => editor.canvas.finish());
  click("cancel", () => editor.stop());
  click("delete", () => {
    editor.point = null;
    editor.delete();
  });
  click("delete-point", () => editor.delete());
  change("class-of", (event) => editor.reclass(event.target.value));
  change("name", (event) => editor.rename(event.target.value.trim()));
  click("split", () => editor.split());
  click("join", () => editor.startJoining());
  click("extend", () => editor.extend());
  click("drop-frame", () => editor.dropFrame());
  click("play", () => editor.player.toggle());
  click("back", () => editor.player.step(-1));
  click("forth", () => editor.player.step(1));
  $("frame")?.addEventListener("input", (event) => editor.player.step(+event.target.value - editor.frame));
  click("theirs", () => editor.takeTheirs());
  click("mine", () => editor.saveMine());
  click("again", () => editor.saver.again());
  document.addEventListener("keydown", (event) => pressed(editor, event));
  addEventListener("beforeunload", (event) => {
    if (editor.saver.pending) event.preventDefault();
  });
}

function pressed(editor, event) {
  if ($("keys").open || event.target.matches("input[type=text]")) return;
  const control = event.ctrlKey || event.metaKey;
  if (event.target.matches("select") && !control) return; // letters choose from it
  const onControl = event.target.matches("button, a, input");
  if (onControl && [" ", "Enter"].includes(event.key)) return;
  if (event.target.matches("input") && event.key.startsWith("Arrow")) return;
  const act = control ? withControl(editor, event) : event.altKey ? null : plain(editor, event);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

function withControl(editor, { key, shiftKey }) {
  if (key.toLowerCase() === "y") return () => editor.redo();
  if (key.toLowerCase() === "z") return () => (shiftKey ? editor.redo() : editor.undo());
  return null;
}

function plain(editor, { key, shiftKey }) {
  if (editor.canvas.isDrawing) {
    if (key === "Enter") return () => editor.canvas.finish();
    if (key === "Backspace") return () => editor.canvas.takeBack();
  }
  if (/^[1-9]$/.test(key)) return () => editor.classKey(+key - 1);
  if (key.startsWith("Arrow")) return arrow(editor, key, shiftKey ? 10 : 1);
  const keys = {
    a: () => editor.decide("accepted"),
    r: () => editor.decide("rejected"),
    s: () => editor.decide("skipped"),
    t: () => editor.decide("None"),
    n: () => editor.go("next"),
    p: () => editor.go("previous"),
    o: () => editor.cycle(1),
    i: () => editor.cycle(-1),
    d: () => editor.draw(),
    f: () => editor.near(),
    l: () => editor.toggleNames(),
    "]": () => editor.cyclePoint(1),
    "[": () => editor.cyclePoint(-1),
    insert: () => editor.point !== null && editor.canvas.insertAfter(editor.point),
    delete: () => editor.delete(),
    backspace: () => editor.delete(),
    escape: () => editor.stop(),
    "+": () => editor.canvas.zoom(1),
    "=": () => editor.canvas.zoom(1),
    "-": () => editor.canvas.zoom(-1),
    0: () => editor.canvas.fit(),
    "?": () => $("keys").showModal(),
    ...(isVideo && {
      " ": () => editor.player.toggle(),
      x: () => editor.split(),
      j: () => editor.startJoining(),
    }),
  };
  return keys[key.toLowerCase()];
}

function arrow(editor, key, size) {
  const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (editor.point !== null) return () => editor.nudge(x * size, y * size);
  if (isVideo && x) return () => editor.player.step(x * size);
  return null; // the map moves by itself
}
