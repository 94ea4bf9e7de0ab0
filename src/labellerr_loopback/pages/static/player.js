// A video on the canvas, and which of its frames is shown.

const L = window.L;

/** `changed()` hears that another frame is shown, or that playing began or ended. */
export class Player {
  #seeking = false;
  #sought = 0;
  #picture = null;
  #timer = 0;

  constructor(canvas, times, changed) {
    this.canvas = canvas;
    this.times = times;
    this.changed = changed;
    this.frame = 0;
    this.playing = false;
    this.video = document.createElement("video");
    this.video.muted = this.video.playsInline = true;
    this.video.preload = "auto";
    this.video.src = "media";
    const layer = L.videoOverlay(this.video, canvas.bounds, { autoplay: false }).addTo(canvas.map);
    this.video.addEventListener("seeked", () => this.#settled());
    this.video.addEventListener("ended", () => this.pause());
    this.video.addEventListener("error", () => this.#withoutVideo(layer));
    this.video.addEventListener("loadeddata", () => this.go(this.frame), { once: true });
  }

  get last() {
    return this.times.length - 1;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.frame === this.last) this.go(0);
    this.playing = true;
    this.changed();
    if (this.#picture) {
      this.#next();
    } else {
      this.video.play().catch(() => this.pause());
      this.#watch();
    }
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    clearTimeout(this.#timer);
    this.video.pause();
    this.go(this.frame); // what is shown is exactly the frame that is named
  }

  step(count) {
    if (this.playing) this.pause();
    this.go(this.frame + count);
  }

  go(frame) {
    this.frame = Math.min(Math.max(frame, 0), this.last);
    if (this.#picture) this.#picture.setUrl(`frames/${this.frame}`);
    else this.#seek();
    this.changed();
  }

  #seek() {
    if (this.#seeking || this.video.readyState === 0) return;
    this.#seeking = true;
    this.#sought = this.frame;
    this.video.currentTime = this.#amid(this.frame);
  }

  #settled() {
    this.#seeking = false;
    if (!this.playing && this.#sought !== this.frame) this.#seek();
  }

  /** The middle of the time for which a frame is shown: where it ends is the next one already. */
  #amid(frame) {
    const { times, last } = this;
    const length = last ? times[last] / last : 0;
    return (times[frame] + (frame < last ? times[frame + 1] : times[frame] + length)) / 2;
  }

  #watch() {
    const shown = (time) => {
      if (!this.playing) return;
      this.frame = this.#at(time);
      this.changed();
      this.#watch();
    };
    const { video } = this;
    // Older browsers do not say which frame they show, only how far they are.
    if (video.requestVideoFrameCallback) {
      video.requestVideoFrameCallback((now, { mediaTime }) => shown(mediaTime));
    } else {
      requestAnimationFrame(() => shown(video.currentTime));
    }
  }

  /** The frame whose time is nearest. */
  #at(time) {
    const { times } = this;
    let low = 0;
    let high = this.last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((times[middle] + times[middle + 1]) / 2 < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A video that the browser does not play is shown frame by frame, as the platform decodes it. */
  #withoutVideo(layer) {
    layer.remove();
    this.#picture = L.imageOverlay(`frames/${this.frame}`, this.canvas.bounds).addTo(this.canvas.map);
    this.#picture.on("load", () => {
      if (this.playing) this.#timer = setTimeout(() => this.#next(), 1000 * this.times[1]);
    });
    this.changed();
  }

  #next() {
    if (this.frame === this.last) this.pause();
    else this.go(this.frame + 1);
  }
}
