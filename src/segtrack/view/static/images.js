// Pictures: which outlines are drawn, by buttons and keys; remembered from one page to the next.

const KEY = "segtrack-view-layers";
const KEYS = { g: "truth", r: "found", c: "right" };
const pictures = document.getElementById("pictures");
const off = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));

function show() {
  for (const button of document.querySelectorAll("[data-layer]")) {
    const { layer } = button.dataset;
    button.setAttribute("aria-pressed", !off.has(layer));
    pictures.classList.toggle(`without-${layer}`, off.has(layer));
  }
  sessionStorage.setItem(KEY, JSON.stringify([...off]));
}

function toggle(layer) {
  if (!off.delete(layer)) off.add(layer);
  show();
}

for (const button of document.querySelectorAll("[data-layer]")) {
  button.addEventListener("click", () => toggle(button.dataset.layer));
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (KEYS[key]) toggle(KEYS[key]);
  if (key === "n") document.querySelector("[rel=next][href]")?.click();
  if (key === "p") document.querySelector("[rel=prev][href]")?.click();
});
show();
pictures.dataset.ready = "true";
