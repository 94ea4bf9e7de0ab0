// Buttons and keys.

import { LAYERS } from "./looks.js";
import { $ } from "./panel.js";

const TRUTHS = ["off", "over", "beside"];

/** Everything on the page does what it says. */
export function bind(page) {
  const { player, looks, stage } = page;
  const click = (id, act) => $(id).addEventListener("click", act);
  click("play", () => player.toggle());
  click("back", () => player.step(-1));
  click("forth", () => player.step(1));
  click("before", () => page.jump(-1));
  click("after", () => page.jump(1));
  click("help", () => $("keys").showModal());
  click("fit", () => stage.fit());
  click("follow", () => page.follow());
  $("scrub").addEventListener("input", ({ target }) => player.step(+target.value - player.frame));
  $("speed").addEventListener("change", ({ target }) => player.faster(+target.value));
  $("colour").addEventListener("change", ({ target }) => {
    looks.colour = target.value;
    looks.changed("filters");
  });
  $("truth").addEventListener("change", ({ target }) => page.truth(target.value));
  for (const select of document.querySelectorAll("select")) {
    // Chosen with the mouse, it gives the keys back; with the keys it is still in use.
    let pointed = false;
    select.addEventListener("pointerdown", () => (pointed = true));
    select.addEventListener("keydown", () => (pointed = false));
    select.addEventListener("change", () => pointed && select.blur());
  }
  document.addEventListener("keydown", (event) => pressed(page, event));
}

function pressed(page, event) {
  const { target } = event;
  if ($("keys").open || target.matches("input[type=text], input[type=number]")) return;
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("select")) return;
  if (target.matches("button, a, summary") && [" ", "Enter"].includes(event.key)) return;
  if (target.matches("input") && /^(Arrow|Home|End)/.test(event.key) && target.id !== "scrub") return;
  const act = actOf(page, event);
  if (!act) return;
  event.preventDefault();
  act();
}

function actOf(page, { key, shiftKey }) {
  const { player, looks, stage, timeline, panel } = page;
  const layer = LAYERS[+key - 1];
  if (/^[1-5]$/.test(key) && layer) return () => looks.toggle(layer[0]);
  const go = (way) => (shiftKey ? player.skip(way) : player.step(way));
  const speeds = [...$("speed").options].map((option) => +option.value);
  const speed = (by) => {
    const next = speeds[speeds.indexOf(player.speed) + by];
    if (next) player.faster(next);
  };
  return {
    " ": () => player.toggle(),
    ArrowLeft: () => go(-1),
    ArrowRight: () => go(1),
    Home: () => player.step((panel.track()?.first ?? 0) - player.frame),
    End: () => player.step((panel.track()?.last ?? player.last) - player.frame),
    ",": () => speed(-1),
    ".": () => speed(1),
    n: () => page.jump(1),
    p: () => page.jump(-1),
    j: () => page.cycle(1),
    k: () => page.cycle(-1),
    f: () => page.follow(),
    6: () => panel.truthful && page.truth(TRUTHS[(TRUTHS.indexOf(looks.truth) + 1) % (page.sides.length > 1 ? 2 : 3)]),
    "+": () => stage.zoom(1.4),
    "=": () => stage.zoom(1.4),
    "-": () => stage.zoom(1 / 1.4),
    0: () => stage.fit(),
    "[": () => timeline.zoom(2),
    "]": () => timeline.zoom(0.5),
    Escape: () => looks.choose(null, null),
    "?": () => $("keys").showModal(),
  }[key.length === 1 ? key.toLowerCase() : key];
}
