// What is shown of the tracks, and how: layers, colours, filters, the chosen track.

export const LAYERS = [
  ["masks", "Masks"],
  ["boxes", "Boxes"],
  ["ids", "Ids"],
  ["labels", "Labels"],
  ["trails", "Trails"],
];

export const KINDS = {
  switch: { name: "id switch", many: "id switches", colour: "--mark-switch" },
  fragment: { name: "fragmentation", many: "fragmentations", colour: "--mark-fragment" },
  flip: { name: "class flip", many: "class flips", colour: "--mark-flip" },
  miss: { name: "miss", many: "misses", colour: "--mark-miss" },
  false: { name: "false positive", many: "false positives", colour: "--mark-false" },
  differ: { name: "difference", many: "differences", colour: "--mark-differ" },
};

export class Looks {
  constructor(palette, changed) {
    this.palette = palette;
    this.changed = changed; // (what): "layers", "filters", "chosen" or "kinds"
    this.layers = new Set(["masks", "boxes", "ids", "labels"]);
    this.colour = "id";
    this.truth = "off";
    this.hidden = new Set(); // names of classes
    this.score = 0;
    this.length = 0;
    this.ids = null;
    this.kinds = new Set(["switch", "fragment", "flip", "miss", "false", "differ"]);
    this.chosen = null; // {side, id}
    this.following = false;
  }

  toggle(layer) {
    if (!this.layers.delete(layer)) this.layers.add(layer);
    this.changed("layers");
  }

  choose(side, id) {
    this.chosen = id === null ? null : { side, id };
    if (!this.chosen) this.following = false;
    this.changed("chosen");
  }

  isChosen(side, id) {
    return this.chosen !== null && this.chosen.id === id && this.chosen.side === side;
  }

  /** Whether a track passes the filters that are of whole tracks. */
  passes(side, track) {
    if (this.hidden.has(side.name(track.kind))) return false;
    if (track.rows < this.length || track.best < this.score) return false;
    return !this.ids || this.ids.some(([low, high]) => low <= track.id && track.id <= high);
  }

  shows(object) {
    if (object.score < this.score) return false;
    const track = object.side.tracks.get(object.id);
    if (track) return this.passes(object.side, track);
    return !this.hidden.has(object.side.name(object.kind));
  }

  /** Of a track: by its id, neighbours far apart on the wheel, or by its class. */
  paint(id, kind) {
    if (this.colour === "class") return this.palette[kind % this.palette.length];
    return `hsl(${((id * 137.508) % 360).toFixed(1)} 88% 62%)`;
  }
}

/** "3, 7, 12-20" as ranges; null for all; false where it is no such text. */
export function rangesOf(text) {
  if (!text.trim()) return null;
  const ranges = text.split(/[\s,;]+/).filter(Boolean).map((part) => {
    const found = /^(\d+)(?:-(\d+))?$/.exec(part);
    return found && [+found[1], +(found[2] ?? found[1])];
  });
  return ranges.every(Boolean) && ranges;
}

/** A colour of the stylesheet as a canvas takes it, for the light or the dark that it is now. */
export function styleOf(name) {
  const probe = document.getElementById("hover");
  probe.style.outlineColor = `var(${name})`;
  return getComputedStyle(probe).outlineColor;
}
