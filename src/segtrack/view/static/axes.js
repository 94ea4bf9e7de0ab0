// Where values are on the axes of parallel coordinates, and which of them a brush holds.

/** An axis of a setting or a score, `top` to `base` px, and what has no value at `missing` px. */
export class Axis {
  constructor(about, top, base, missing) {
    Object.assign(this, about);
    [this.top, this.base] = [top, base];
    this.at = this.missing ? missing : null;
  }

  /** px of a value; null is what is missing. */
  y(value) {
    if (value === null || value === undefined) return this.at ?? this.base;
    if (this.kind === "words") return this.top + (this.words.indexOf(value) + 0.5) * this.band;
    return this.base - (this.base - this.top) * this.#part(value);
  }

  get band() {
    return (this.base - this.top) / this.words.length;
  }

  /** The brush of a stretch of px, null where there is nothing on it. */
  brush(one, other) {
    const [above, below] = [Math.min(one, other), Math.max(one, other)];
    const missing = this.at !== null && below >= this.at - 6;
    if (this.kind === "words") {
      const words = this.words.filter((word, i) => {
        const middle = this.top + (i + 0.5) * this.band;
        return middle >= above && middle <= below;
      });
      return words.length || missing ? { words, missing } : null;
    }
    if (above > this.base) return missing ? { low: Infinity, high: -Infinity, missing } : null;
    return { low: this.#value(Math.min(below, this.base)), high: this.#value(Math.max(above, this.top)), missing };
  }

  /** The stretch of px of a brush. */
  stretch(brush) {
    const end = brush.missing ? this.at + 9 : null;
    if (brush.words) {
      const places = brush.words.map((word) => this.y(word)).filter((y) => y >= this.top);
      if (!places.length) return [this.at - 9, this.at + 9];
      return [Math.min(...places) - this.band / 2, end ?? Math.max(...places) + this.band / 2];
    }
    if (brush.low > brush.high) return [this.at - 9, this.at + 9];
    const above = brush.high === Infinity ? this.top : clamp(this.y(brush.high), this.top, this.base);
    const below = brush.low === -Infinity ? this.base : clamp(this.y(brush.low), this.top, this.base);
    return [above, end ?? below];
  }

  /** One step of keys, in px. */
  get step() {
    return this.kind === "words" ? this.band : (this.base - this.top) / 20;
  }

  /** What a brush holds, in words. */
  said(brush) {
    const parts = [];
    if (brush.words?.length) parts.push(brush.words.join(", "));
    if (brush.low <= brush.high) parts.push(`${short(brush.low)} to ${short(brush.high)}`);
    if (brush.missing) parts.push(this.missing);
    return `${this.label}: ${parts.join(", ")}`;
  }

  #part(value) {
    if (this.low === this.high) return 0.5;
    const scale = this.kind === "log" ? Math.log : (x) => x;
    return (scale(value) - scale(this.low)) / (scale(this.high) - scale(this.low));
  }

  #value(y) {
    // The ends hold all that there is, also what comes later and is beyond them.
    if (y <= this.top) return Infinity;
    if (y >= this.base) return -Infinity;
    if (this.low === this.high) return this.low + (this.top + this.base) / 2 - y;
    const part = (this.base - y) / (this.base - this.top);
    if (this.kind === "log") return this.low * (this.high / this.low) ** part;
    return this.low + (this.high - this.low) * part;
  }
}

export function holds(brush, value) {
  if (value === null || value === undefined) return brush.missing;
  return brush.words ? brush.words.includes(value) : value >= brush.low && value <= brush.high;
}

/** The axis of a score over the values that there are. */
export function scored(name, values) {
  const known = values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const missing = known.length < values.length ? "none" : null;
  return { name, label: name, score: true, kind: "linear", low, high, missing, ticks: ticksOf(low, high) };
}

/** Round values between two, with their texts. */
export function ticksOf(low, high, kind = "linear") {
  if (low === high) return [[low, short(low)]];
  if (kind === "log") {
    const powers = Array.from({ length: Math.ceil(Math.log10(high / low)) + 2 }, (_, i) => i + Math.floor(Math.log10(low)));
    const round = powers.flatMap((power) => [1, 2, 5].map((n) => Number(`${n}e${power}`)));
    return round.filter((value) => value >= low && value <= high).map((value) => [value, String(value)]);
  }
  const rough = (high - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * unit).find((one) => one >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, i) => [(first + i) * step, ((first + i) * step).toFixed(digits)]);
}

export function short(value) {
  if (value === Infinity) return "the greatest";
  if (value === -Infinity) return "the least";
  return String(+value.toPrecision(4));
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
