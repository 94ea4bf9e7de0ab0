// One run's data on the video: objects by windows of frames, tracks, marks. What is far away is let go.

const WINDOW = 32; // frames
const KEPT = 40; // windows
const AGAIN = 300; // ms until the server is asked again for what it has not read yet

/** `changed(what)` hears that "objects", "tracks" or "marks" came, or "trouble" with a text. */
export class Side {
  #windows = new Map();
  #asked = new Set();

  constructor(about, changed) {
    this.about = about;
    this.at = about.at;
    this.changed = changed;
    this.classes = about.classes;
    this.tracks = new Map();
    this.marks = [];
    this.read = 0;
    this.count = about.count;
  }

  async load() {
    if (this.about.truth) this.#marks();
    for (;;) {
      const found = await this.#json("tracks");
      if (!found) return;
      this.read = found.read;
      this.count = Math.max(this.count, found.count);
      this.classes = found.classes;
      this.tracks = new Map(found.tracks.map((row) => [row[0], trackOf(row)]));
      this.#errors();
      this.changed("tracks");
      if (found.problem) this.changed("trouble", found.problem);
      if (found.read === 1) return;
      await new Promise((done) => setTimeout(done, AGAIN));
    }
  }

  /** What is in a frame, or null while it is not there; it is asked for then. */
  frame(number) {
    const first = number - (number % WINDOW);
    const found = this.#windows.get(first);
    if (!found) {
      this.#ask(first);
      return null;
    }
    this.#windows.delete(first); // used last: goes to the end
    this.#windows.set(first, found);
    return found.get(number) ?? EMPTY;
  }

  /** The same, but nothing is asked for. */
  peek(number) {
    return this.#windows.get(number - (number % WINDOW))?.get(number) ?? null;
  }

  /** Ask for what comes next. */
  ahead(number, frames) {
    const end = Math.min(number + frames, this.count - 1);
    for (let first = number - (number % WINDOW); first <= end; first += WINDOW) {
      if (!this.#windows.has(first)) this.#ask(first);
    }
  }

  name(kind) {
    return this.classes[kind] ?? `class ${kind}`;
  }

  async #ask(first) {
    if (this.#asked.has(first) || this.#asked.size > 4) return;
    this.#asked.add(first);
    const end = first + WINDOW;
    const found = await this.#json(`objects?first=${first}&end=${end}`);
    if (found && !found.frames) {
      setTimeout(() => {
        this.#asked.delete(first);
        this.changed("objects");
      }, AGAIN);
      return;
    }
    this.#asked.delete(first);
    this.#windows.set(first, found ? framesOf(found, this) : new Map());
    while (this.#windows.size > KEPT) this.#windows.delete(this.#windows.keys().next().value);
    this.changed("objects");
  }

  async #marks() {
    const found = await this.#json("marks");
    if (!found) return;
    this.marks = found.marks.map(([kind, first, last, track, gt, old, name]) => {
      return { kind, first, last, track, gt, old, name };
    });
    this.#errors();
    this.changed("marks");
  }

  /** How many marks each track has. */
  #errors() {
    for (const track of this.tracks.values()) track.errors = 0;
    for (const { track } of this.marks) {
      const found = this.tracks.get(track);
      if (found) found.errors += 1;
    }
  }

  async #json(what) {
    try {
      const answer = await fetch(this.at + what, { cache: "no-store" });
      if (answer.ok) return await answer.json();
      const { error } = await answer.json().catch(() => ({ error: "see the terminal of segtrack view" }));
      this.changed("trouble", `This cannot be shown: ${error}`);
    } catch {
      this.changed("trouble", "The server does not answer any more: segtrack view has ended.");
    }
    return null;
  }
}

const EMPTY = { objects: [], truth: [] };

function trackOf([id, kind, rows, mean, best, parts]) {
  return { id, kind, rows, mean, best, parts, first: parts[0], last: parts.at(-1), errors: 0 };
}

function framesOf(found, side) {
  const frames = new Map();
  const at = (number) => {
    if (!frames.has(number)) frames.set(number, { objects: [], truth: [] });
    return frames.get(number);
  };
  for (const [number, rows] of Object.entries(found.frames)) {
    const wrong = new Set(found.truth?.false[number]);
    at(+number).objects = rows.map(([id, kind, score, x1, y1, x2, y2, made, rings]) => {
      return { id, kind, score, box: [x1, y1, x2, y2], made, rings, wrong: wrong.has(id), side };
    });
  }
  for (const [number, rows] of Object.entries(found.truth?.objects ?? {})) {
    at(+number).truth = rows.map(([id, name, x1, y1, x2, y2, track, rings]) => {
      return { id, name, box: [x1, y1, x2, y2], track, rings, missed: track < 0 };
    });
  }
  return frames;
}

/** The outline of a mask as something that a canvas draws; made once. */
export function pathOf(object) {
  if (!object.path && object.rings) {
    object.path = new Path2D();
    for (const ring of object.rings) {
      object.path.moveTo(ring[0], ring[1]);
      for (let i = 2; i < ring.length; i += 2) object.path.lineTo(ring[i], ring[i + 1]);
      object.path.closePath();
    }
  }
  return object.path ?? null;
}
