// The page of a video: its pictures, its tracks, and what a person wants to see of them.

import { bind } from "./keys.js";
import { Looks } from "./looks.js";
import { $, Panel } from "./panel.js";
import { Player } from "./player.js";
import { Side } from "./side.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

class Page {
  #marked = null;

  constructor(work) {
    const abouts = JSON.parse(work.dataset.sides);
    this.work = work;
    this.looks = new Looks(abouts[0].palette, (what) => this.#looked(what));
    this.sides = abouts.map((about) => new Side(about, (what, text) => this.#came(what, text)));
    // Where one run knows the video's file, it shows for both.
    const film = abouts.find((about) => about.film) ?? abouts[0];
    const count = Math.max(...abouts.map((about) => about.count));
    this.player = { frame: 0, count, fps: film.fps, last: count - 1 }; // until there is one
    this.stage = new Stage(this.sides, this.looks, () => this.#repaint());
    const act = { paint: (frame, image) => this.#paint(frame, image), changed: () => this.#moved() };
    this.player = new Player({ ...film, count }, act);
    this.timeline = new Timeline(this.sides, this.looks, this.player);
    this.timeline.picked = (mark, side) => this.#picked(mark, side);
    this.panel = new Panel(this.sides, this.looks, this.player, this.timeline);
    bind(this);
    this.#looked("filters");
    this.#moved();
    for (const side of this.sides) side.load();
    if (this.sides.length > 1) this.#differences();
    if (!film.film) this.#trouble(`The pictures cannot be shown: ${film.noFilm}`);
    const asked = +new URLSearchParams(location.search).get("frame");
    if (asked) this.player.go(asked);
  }

  jump(way) {
    const marks = this.timeline.marks();
    const { frame } = this.player;
    const last = marks.indexOf(this.#marked);
    const known = this.#marked && this.#marked.first === frame ? marks.findIndex((m) => same(m, this.#marked)) : -1;
    const next = known >= 0 ? marks[known + way] : way > 0
      ? marks.find((mark) => mark.first > frame)
      : marks.findLast((mark) => mark.first < frame);
    if (!next) return;
    this.player.step(next.first - frame);
    this.#picked(next, next.side);
    return last;
  }

  #picked(mark, side) {
    this.#marked = mark;
    if (side && mark.track >= 0) this.looks.choose(side, mark.track);
    else this.looks.choose(null, null);
    this.panel.mark(mark);
  }

  /** The next track in the picture, from left to right. */
  cycle(way) {
    const side = this.looks.chosen?.side ?? this.sides[0];
    const there = (side.peek(this.player.shown)?.objects ?? []).filter((one) => this.looks.shows(one));
    if (!there.length) return;
    there.sort((one, other) => one.box[0] - other.box[0]);
    const now = there.findIndex((one) => this.looks.isChosen(side, one.id));
    const next = now < 0 && way < 0 ? there.length - 1 : (now + way + there.length) % there.length;
    this.looks.choose(side, there[next].id);
  }

  follow() {
    if (!this.looks.chosen) return;
    this.looks.following = !this.looks.following;
    if (!this.looks.following) this.stage.fit();
    this.looks.changed("chosen");
  }

  truth(where) {
    this.looks.truth = where;
    this.stage.arrange();
    this.looks.changed("layers");
  }

  async #differences() {
    for (;;) {
      const answer = await fetch("differences", { cache: "no-store" });
      const found = await answer.json();
      if (!answer.ok) return this.#trouble(found.error);
      if (found.marks) {
        this.timeline.extra = found.marks.map(([first, last, side, track, text]) => {
          return { kind: "differ", first, last, track, text, name: "", side: this.sides[side] };
        });
        return this.#looked("filters");
      }
      await new Promise((done) => setTimeout(done, 500));
    }
  }

  #repaint() {
    if (this.player.paint) this.#paint(this.player.shown, this.player.image);
  }

  #paint(frame, image) {
    if (frame < 0) return;
    this.stage.frame = frame;
    const { chosen, following } = this.looks;
    if (chosen && following) {
      const one = chosen.side.peek(frame)?.objects.find(({ id }) => id === chosen.id);
      if (one) this.stage.centre(one.box);
    }
    this.stage.draw(frame, image);
    const ahead = this.player.playing ? Math.round(2 * this.player.fps * Math.max(1, this.player.speed)) : 20;
    const whole = this.sides.every((side) => {
      side.ahead(Math.max(0, frame), Math.min(ahead, 240));
      return side.peek(frame);
    });
    this.work.dataset.frame = frame;
    if (image) this.work.dataset.picture = frame;
    if (!whole) return;
    this.work.dataset.whole = frame; // with its tracks
    this.work.dataset.ready = "true";
    this.player.know?.();
  }

  #moved() {
    if (!this.panel) return;
    this.panel.time();
    this.timeline.draw();
    if (this.#marked && this.#marked.first !== this.player.frame) {
      this.#marked = null;
      this.panel.mark(null);
    }
  }

  #looked(what) {
    if (!this.panel) return;
    this.panel.layers();
    if (what === "filters") {
      this.panel.classes();
      this.panel.kinds();
    }
    if (what === "kinds") this.panel.kinds();
    if (what !== "layers") {
      this.panel.tracks();
      this.timeline.changed();
    }
    this.panel.chosen();
    this.#repaint();
  }

  #came(what, text) {
    if (what === "trouble") return this.#trouble(text);
    if (!this.panel) return null;
    if (what === "tracks") {
      this.player.count = Math.max(this.player.count, ...this.sides.map((side) => side.count));
      this.panel.reading();
      this.panel.time();
    }
    if (what === "objects") this.#repaint();
    else this.#looked("filters");
    return null;
  }

  #trouble(text) {
    $("trouble").hidden = false;
    $("trouble").querySelector("p").textContent = text;
  }
}

function same(one, other) {
  return ["kind", "first", "last", "track", "gt", "side"].every((key) => one[key] === other[key]);
}

new Page($("work"));
