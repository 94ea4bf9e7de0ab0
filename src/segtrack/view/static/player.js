// What plays: a video file in the browser, or pictures that the server decodes where it cannot.
//
// Whoever draws is always told which frame the picture is: a <video> says it of each picture that it
// presents (requestVideoFrameCallback), and frames are found by their time stamps in the file.

const PICTURES = 12; // that are kept
const AT_ONCE = 3; // pictures that are asked for
const REST = 160; // ms without another frame, after which the whole picture is asked for
const LONG = 60; // ms after which something near is shown until the frame itself is there
const UNHEARD = 60; // ms in which a browser says which picture it presents
const SLOWEST = 1 / 16;

/** `paint(frame, image)` draws; `changed()` hears of the frame that is wanted, and of playing. */
export class Player {
  #pictures = new Map();
  #asked = new Set();
  #rest = 0;
  #offset = null;
  #seeking = false;
  #sought = -1;
  #begun = null;
  #ends = -1;
  #near = 0;
  #passing = null;
  #known = false;
  #doubted = false;

  constructor(about, { paint, changed }) {
    Object.assign(this, { about, paint, changed, at: about.at, fps: about.fps, seconds: null });
    this.count = about.count;
    this.frame = 0; // that is wanted
    this.shown = -1; // that the picture is of
    this.image = null;
    this.playing = false;
    this.speed = 1;
    this.video = null;
    if (about.film && about.plays) this.#open();
    else this.go(0);
  }

  /** Ask when the frames are shown, once: the server reads the file through for it. */
  async know() {
    if (this.#known || !this.about.film) return;
    this.#known = true;
    const answer = await fetch(`${this.at}times`, { cache: "no-store" });
    if (!answer.ok) return;
    const found = await answer.json();
    this.seconds = found.seconds;
    if (found.count) this.count = Math.max(this.count, found.count);
    this.#sought = -1;
    this.#doubted = Boolean(found.seconds);
    if (found.seconds && !this.playing) this.go(this.frame); // by its rate it may have been another
    else this.changed();
  }

  get last() {
    return this.count - 1;
  }

  time(frame) {
    return this.seconds ? this.seconds[Math.min(frame, this.seconds.length - 1)] : frame / this.fps;
  }

  /** The frame that is shown at a time after the first one. */
  frameAt(time) {
    const { seconds } = this;
    if (!seconds) return this.#within(Math.floor(time * this.fps + 1e-3));
    let low = 0;
    let high = seconds.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (seconds[middle] <= time + 1e-4) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play(until = -1) {
    if (this.frame >= this.last) this.go(0);
    this.#sought = -1;
    this.#ends = until;
    this.playing = true;
    if (this.video) {
      this.video.playbackRate = this.speed;
      this.video.play().catch(() => this.pause());
    } else {
      this.#begun = { at: performance.now(), time: this.time(this.frame) };
      requestAnimationFrame((now) => this.#tick(now));
    }
    this.changed();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    if (this.video) this.video.pause();
    this.go(this.frame); // what is shown is exactly the frame that is named
  }

  faster(speed) {
    this.speed = speed;
    if (this.video) this.video.playbackRate = Math.max(speed, SLOWEST);
    if (this.#begun) this.#begun = { at: performance.now(), time: this.time(this.frame) };
    this.changed();
  }

  step(count) {
    if (this.playing) this.pause();
    this.go(this.frame + count);
  }

  /** A second on (1) or back (-1), by the clock of the video. */
  skip(way) {
    const { frame } = this;
    const whole = Math.max(1, Math.round(this.fps)); // frames of a second where all are alike
    const found = this.seconds ? this.frameAt(this.time(frame) + way) : frame + way * whole;
    this.step(found === frame ? way : found - frame);
  }

  go(frame) {
    this.frame = this.#within(Math.round(frame));
    if (this.#begun && this.playing) this.#begun = { at: performance.now(), time: this.time(this.frame) };
    this.changed();
    if (this.video) this.#seek();
    else this.#show();
  }

  #within(frame) {
    return Math.min(Math.max(frame, 0), this.last);
  }

  // A video file

  #open() {
    const video = document.createElement("video");
    video.muted = video.playsInline = true;
    video.preload = "auto";
    video.className = "source";
    video.addEventListener("seeked", () => this.#settled());
    video.addEventListener("ended", () => {
      this.frame = this.last;
      this.pause();
    });
    video.addEventListener("error", () => this.#withoutVideo());
    video.addEventListener("loadeddata", () => this.#first());
    video.src = `${this.at}media`;
    document.getElementById("stage").append(video);
    this.video = video;
    this.#watch();
    this.#pass(0);
  }

  /** A picture that is there at once, until the browser has the one that is wanted. */
  async #pass(wanted, path = `near/${wanted}`) {
    const answer = await fetch(this.at + path).catch(() => null);
    if (!answer?.ok || this.frame !== wanted) return;
    const place = +(answer.headers.get("X-Frame") ?? wanted);
    const picture = await createImageBitmap(await answer.blob());
    // Where the frame came meanwhile, or what is shown is nearer to it, that is better.
    const nearer = this.shown >= 0 && Math.abs(this.shown - wanted) <= Math.abs(place - wanted);
    if (this.frame !== wanted || this.playing || nearer || !this.video) return;
    this.#passing?.close();
    this.#passing = this.image = picture;
    this.shown = place;
    this.paint(place, picture);
  }

  #first() {
    if (!this.video.requestVideoFrameCallback) this.#present(this.video.currentTime);
    else if (this.frame > 0) this.#seek();
  }

  #watch() {
    const { video } = this;
    if (!video) return;
    if (video.requestVideoFrameCallback) {
      video.requestVideoFrameCallback((now, { mediaTime }) => {
        this.#present(mediaTime);
        this.#watch();
      });
    } else {
      requestAnimationFrame(() => {
        if (this.playing) this.#present(video.currentTime);
        this.#watch();
      });
    }
  }

  #present(time) {
    if (this.video === null) return;
    this.#offset ??= this.video.currentTime < 0.5 / this.fps ? time : 0; // of the first frame
    // Where only the rate is known a frame may come a little early; a stamp that is known is exact.
    this.shown = this.frameAt(time - this.#offset + (this.seconds ? 0 : 0.25 / this.fps));
    this.image = this.video;
    if (this.playing) {
      this.frame = this.shown;
      this.changed();
      if (this.#ends >= 0 && this.shown >= this.#ends) this.pause();
    }
    this.paint(this.shown, this.image);
    // A picture that was under way when it was paused is not the one that is named.
    if (!this.playing && !this.#seeking && ![this.shown, this.#sought].includes(this.frame)) this.#seek();
  }

  #seek() {
    if (this.#seeking || this.video.readyState === 0) return;
    if (this.shown === this.frame && !this.playing && this.image === this.video && !this.#doubted) {
      this.paint(this.shown, this.image);
      return;
    }
    this.#seeking = true;
    this.#doubted = false;
    this.#sought = this.frame;
    clearTimeout(this.#near);
    this.#near = setTimeout(() => this.#seeking && this.#pass(this.frame), LONG);
    this.video.currentTime = this.#amid(this.frame) + (this.#offset ?? 0);
  }

  #settled() {
    this.#seeking = false;
    if (!this.playing && this.#sought !== this.frame) this.#seek();
    // A browser may present the picture of a seek without a word of it.
    else setTimeout(() => this.#unheard(), UNHEARD);
  }

  #unheard() {
    const { video } = this;
    if (!video || this.playing || this.#seeking || this.shown === this.frame) return;
    if (this.#sought !== this.frame || video.seeking) return;
    this.#present(video.currentTime);
    // By its head a file may end where its last frame begins, which no browser shows then.
    if (this.shown !== this.frame) this.#pass(this.frame, `frames/${this.frame}`);
  }

  /** The middle of the time for which a frame is shown: where it ends is the next one already. */
  #amid(frame) {
    const next = frame < this.last ? this.time(frame + 1) : this.time(frame) + 1 / this.fps;
    return (this.time(frame) + Math.max(next, this.time(frame))) / 2;
  }

  #withoutVideo() {
    this.video.remove();
    this.video = this.image = null;
    this.shown = -1;
    this.go(this.frame);
    if (this.playing) this.play();
  }

  // Pictures, or nothing but the outlines

  #tick(now) {
    if (!this.playing || this.video) return;
    const { at, time } = this.#begun;
    const frame = this.frameAt(time + ((now - at) / 1000) * this.speed);
    if (frame !== this.frame) {
      this.frame = frame;
      this.changed();
      this.#show();
    }
    if (frame >= this.last || (this.#ends >= 0 && frame >= this.#ends)) this.pause();
    else requestAnimationFrame((next) => this.#tick(next));
  }

  #show() {
    const { frame } = this;
    if (!this.about.film) {
      this.shown = frame;
      this.paint(frame, null);
      return;
    }
    const found = this.#pictures.get(`${frame}`) ?? this.#pictures.get(`${frame}?small=1`);
    if (found) {
      this.shown = frame;
      this.image = found;
      this.paint(frame, found);
    } else {
      this.#ask(frame, true);
    }
    const step = Math.max(1, Math.round(this.speed / 2));
    if (this.playing) for (let i = 1; i <= 4; i += 1) this.#ask(frame + i * step, true);
    clearTimeout(this.#rest);
    if (!this.playing) this.#rest = setTimeout(() => this.#ask(this.frame, false), REST);
  }

  async #ask(frame, small) {
    if (frame > this.last) return;
    const name = small ? `${frame}?small=1` : `${frame}`;
    if (this.#pictures.has(name) || this.#asked.has(name)) return;
    if (this.#asked.size >= AT_ONCE && frame !== this.frame) return;
    this.#asked.add(name);
    try {
      const answer = await fetch(`${this.at}frames/${name}`);
      if (!answer.ok) return;
      const picture = await createImageBitmap(await answer.blob());
      this.#pictures.set(name, picture);
      while (this.#pictures.size > PICTURES) this.#drop();
    } finally {
      this.#asked.delete(name);
    }
    // While it plays a picture that comes late is better than none.
    const late = this.playing && frame > this.shown && frame <= this.frame;
    if (frame === this.frame || late) {
      this.shown = frame;
      this.image = this.#pictures.get(name);
      this.paint(frame, this.image);
    }
  }

  #drop() {
    const [name, picture] = this.#pictures.entries().next().value;
    this.#pictures.delete(name);
    if (picture !== this.image) picture.close();
  }
}
