// Numbers of each epoch as lines: a small chart for each kind of them.

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [300, 130, 40, 8, 18];
const SPACE = "http://www.w3.org/2000/svg";

/** A figure of `lines`, each of which is [[epoch, value], ...] by its name. */
export function chart({ name, lines }) {
  const figure = document.createElement("figure");
  const rows = Object.entries(lines).map(([line, points]) => [line, points.filter(([, value]) => value !== null)]);
  const all = rows.flatMap(([, points]) => points);
  if (!all.length) return figure;
  const [steps, values] = [0, 1].map((place) => all.map((point) => point[place]));
  const [first, last] = [Math.min(...steps), Math.max(...steps)];
  const low = name.includes("/") ? 0 : Math.min(...values); // scores begin at 0
  const high = Math.max(...values, low + 1e-9);
  const x = (step) => LEFT + ((step - first) / Math.max(last - first, 1)) * (WIDTH - LEFT - 8);
  const y = (value) => TOP + (1 - (value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.setAttribute("aria-label", `${name}, ${rows.map(([line, points]) => `${line} ${short(points.at(-1)?.[1])}`).join(", ")} at epoch ${last}`);
  for (const value of [low, high]) {
    svg.append(drawn("line", { class: "level", x1: LEFT, x2: WIDTH - 8, y1: y(value), y2: y(value) }));
    svg.append(drawn("text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, short(value)));
  }
  for (const step of new Set([first, last])) {
    svg.append(drawn("text", { x: x(step), y: HEIGHT - 3, "text-anchor": step === first ? "start" : "end" }, step));
  }
  rows.forEach(([, points], number) => {
    const path = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    svg.append(drawn("polyline", { class: `line-${number % 4}`, points: path }));
    if (points.length) svg.append(drawn("circle", { class: `line-${number % 4}`, cx: x(points.at(-1)[0]), cy: y(points.at(-1)[1]), r: 2.5 }));
  });
  const rule = drawn("line", { class: "rule", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  svg.append(rule);
  const caption = document.createElement("figcaption");
  const read = (step) => {
    const entries = rows.map(([line, points], number) => {
      const value = points.findLast((point) => point[0] <= step)?.[1];
      return part("span", `${line} ${short(value)}`, `key line-${number % 4}`);
    });
    caption.replaceChildren(part("b", name), ...entries, part("span", `epoch ${step}`, "note"));
  };
  read(last);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * WIDTH;
    const step = steps.reduce((best, one) => (Math.abs(x(one) - at) < Math.abs(x(best) - at) ? one : best));
    rule.setAttribute("x1", x(step));
    rule.setAttribute("x2", x(step));
    rule.setAttribute("visibility", "visible");
    read(step);
  });
  svg.addEventListener("pointerleave", () => {
    rule.setAttribute("visibility", "hidden");
    read(last);
  });
  figure.append(caption, svg);
  return figure;
}

function short(value) {
  if (value === undefined) return "–";
  if (value === 0) return "0";
  return Math.abs(value) >= 0.001 && Math.abs(value) < 1e5 ? String(+value.toPrecision(3)) : value.toExponential(1);
}

function drawn(kind, attributes, text) {
  const made = document.createElementNS(SPACE, kind);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function part(kind, text, name = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  made.className = name;
  return made;
}
