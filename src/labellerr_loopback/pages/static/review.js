// The page of one picture or video: asks for its answers and lets a person work on them.

import { Editor } from "./editor.js";
import { bind } from "./keys.js";
import { $ } from "./panel.js";

const work = $("work");
work.style.setProperty("--ratio", work.dataset.height / work.dataset.width);
const answer = await fetch("answers", { cache: "no-store" });
if (answer.ok) {
  bind(new Editor((await answer.json()).response));
  work.dataset.ready = "true";
} else {
  $("trouble").hidden = false;
  $("again").hidden = true;
  const why = (await answer.text()).slice(0, 300);
  $("trouble").querySelector("p").textContent = `The answers cannot be shown: ${why}`;
}
