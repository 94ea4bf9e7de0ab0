// The picture with its outlines, on a Leaflet map whose unit is a pixel and whose y goes down.

const L = window.L;
const PIXELS = L.extend({}, L.CRS.Simple, { transformation: new L.Transformation(1, 0, 1, 0) });
const COARSE = matchMedia("(pointer: coarse)").matches;
const SIDE = COARSE ? 40 : 22; // px that can be hit around a point
const NEAR = COARSE ? 70 : 34; // px of an edge below which it has no handle in its middle
const MIN_POINTS = 3;
const areas = new WeakMap();

const at = ([x, y]) => L.latLng(y, x);
const handle = (name) => L.divIcon({ className: name, iconSize: [SIDE, SIDE] });

/** Twice the area of an outline, for the order in which they lie: small ones on top. */
function area(points) {
  if (!areas.has(points)) {
    let sum = 0;
    points.forEach(([x, y], i) => {
      const [u, v] = points[(i + 1) % points.length];
      sum += x * v - u * y;
    });
    areas.set(points, Math.abs(sum));
  }
  return areas.get(points);
}

function highest(points) {
  return points.reduce((top, point) => (point[1] < top[1] ? point : top));
}

/** The corners of a box when one of them is moved; the opposite one stays. */
function boxMoved(points, index, [x, y]) {
  const [u, v] = points[(index + 2) % 4];
  const [left, right] = [Math.min(x, u), Math.max(x, u)];
  const [top, bottom] = [Math.min(y, v), Math.max(y, v)];
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}

/**
 * Shows outlines, and lets one of them be edited or a new one be drawn.
 *
 * `on` hears of select(id or null), outline(points) when the edited one was changed, point(index)
 * when a point was chosen, drawing(number of points), drawn(points).
 */
export class Canvas {
  #layers = new Map();
  #chips = new Map();
  #order = "";
  #named = [];
  #handles = L.layerGroup();
  #edited = null;
  #drawn = null;
  #fitted = true;

  constructor(element, width, height, arrows, on) {
    this.element = element;
    this.size = [width, height];
    this.on = on;
    this.bounds = L.latLngBounds([0, 0], [height, width]);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.map = L.map(element, {
      crs: PIXELS,
      attributionControl: false,
      boxZoom: false,
      doubleClickZoom: false,
      fadeAnimation: false,
      inertia: !still,
      keyboard: arrows,
      maxZoom: 6,
      minZoom: -5,
      renderer: L.svg({ padding: 1 }),
      wheelPxPerZoomLevel: 90,
      zoomAnimation: !still,
      zoomDelta: 0.5,
      zoomSnap: 0,
    });
    this.map.createPane("marks").style.zIndex = 450; // above outlines, below handles
    this.fit();
    this.#handles.addTo(this.map);
    this.map.on("click", (event) => this.#clicked(event));
    this.map.on("dblclick", () => this.finish());
    this.map.on("mousemove", (event) => this.#hovered(event));
    this.map.on("zoomend", () => this.#zoomed());
    this.map.on("dragstart", () => (this.#fitted = false));
    element.addEventListener("wheel", () => (this.#fitted = false), { passive: true });
    new ResizeObserver(() => {
      this.map.invalidateSize({ animate: false });
      if (this.#fitted) this.fit();
    }).observe(element);
  }

  fit() {
    this.map.fitBounds(this.bounds, { animate: false, padding: [6, 6] });
    this.#fitted = true;
  }

  /** Nearer to an outline, with some of what is around it. */
  near(points) {
    const around = L.latLngBounds(points.map(at)).pad(1);
    if (this.map.getBoundsZoom(around) < this.map.getBoundsZoom(this.bounds)) {
      this.fit(); // something large: the whole picture is as far as it goes
      return;
    }
    this.#fitted = false;
    this.map.fitBounds(around, { maxZoom: 4 });
  }

  zoom(steps) {
    this.#fitted = false;
    this.map.setZoom(this.map.getZoom() + steps / 2);
  }

  /** Where to look, on top of everything; it cannot be touched. */
  mark(outlines) {
    for (const points of outlines) {
      L.polygon(points.map(at), { className: "mark", interactive: false, pane: "marks" }).addTo(this.map);
    }
  }

  /** Shapes are {id, points, colour, text, ghost, selected}; those no longer named are gone. */
  show(shapes, labels) {
    const wanted = new Set(shapes.map((shape) => shape.id));
    for (const [id, layer] of this.#layers) {
      if (!wanted.has(id)) {
        layer.remove();
        this.#layers.delete(id);
      }
    }
    const sorted = [...shapes].sort((a, b) => area(b.points) - area(a.points));
    for (const shape of sorted) this.#outline(shape);
    const order = sorted.map((shape) => shape.id).join();
    if (order !== this.#order) sorted.forEach(({ id }) => this.#layers.get(id).bringToFront());
    this.#order = order;
    this.#named = labels ? sorted : shapes.filter((shape) => shape.selected);
    this.#label();
  }

  #outline(shape) {
    let layer = this.#layers.get(shape.id);
    if (!layer) {
      layer = L.polygon([], { bubblingMouseEvents: false, lineJoin: "round" }).addTo(this.map);
      layer.on("click", (event) => this.#drawn ? this.#clicked(event) : this.on.select(shape.id));
      layer.getElement().dataset.id = shape.id;
      this.#layers.set(shape.id, layer);
    }
    if (layer.points !== shape.points) {
      layer.points = shape.points;
      layer.setLatLngs(shape.points.map(at));
    }
    const look = `${shape.colour} ${shape.selected} ${shape.ghost}`;
    if (layer.look === look) return;
    layer.look = look;
    const fillOpacity = shape.selected ? 0.32 : 0.16;
    layer.setStyle({ color: shape.colour, weight: shape.selected ? 3 : 2, fillOpacity });
    layer.getElement().classList.toggle("ghost", shape.ghost);
  }

  /** Names where there is room: the selected outline's first, then those of large ones. */
  #label() {
    const taken = [];
    const first = this.#named.filter((shape) => shape.selected);
    const shapes = [...first, ...this.#named].filter((shape, index) => {
      if (index >= first.length && shape.selected) return false;
      const { x, y, half } = this.#room(shape);
      const free = taken.every((one) => Math.abs(x - one.x) > half + one.half || Math.abs(y - one.y) > 17);
      if (free) taken.push({ x, y, half });
      return free;
    });
    const wanted = new Set(shapes.map((shape) => shape.id));
    for (const [id, chip] of this.#chips) {
      if (!wanted.has(id)) {
        chip.remove();
        this.#chips.delete(id);
      }
    }
    for (const shape of shapes) {
      const { id, text, selected } = shape;
      const { x, y } = this.#room(shape);
      const place = this.map.layerPointToLatLng([x, y]);
      let chip = this.#chips.get(id);
      if (!chip) {
        const options = { className: "chip", direction: "top", offset: [0, -3], permanent: true };
        // An element, since a text would be read as HTML.
        chip = L.tooltip(options).setContent(document.createElement("span"));
        chip.setLatLng(place).addTo(this.map);
        this.#chips.set(id, chip);
      }
      chip.getContent().textContent = text;
      chip.getElement().classList.toggle("selected", selected);
      chip.setLatLng(place);
    }
  }

  /** Where a name stands, layer px: above the outline, not beyond the sides of the picture. */
  #room({ points, text }) {
    const half = text.length * 3.6 + 6;
    const { x, y } = this.map.latLngToLayerPoint(at(highest(points)));
    const left = this.map.latLngToLayerPoint([0, 0]).x + half;
    const right = this.map.latLngToLayerPoint([0, this.size[0]]).x - half;
    return { x: Math.max(left, Math.min(x, right)), y, half };
  }

  /** Handles on the points of one outline; `current` is the chosen one's index, or null. */
  edit(id, points, isBox, current) {
    this.#edited = { id, points, isBox, current };
    this.#draw();
  }

  stopEditing() {
    this.#edited = null;
    if (!this.#drawn) this.#handles.clearLayers();
  }

  /** Replace a point of the edited outline; the same as dragging it. */
  move(index, [x, y]) {
    this.on.outline(this.#with(index, this.#inside([x, y])));
  }

  insertAfter(index) {
    const { points } = this.#edited;
    this.on.outline(points.toSpliced(index + 1, 0, this.#middle(index)), index + 1);
  }

  remove(index) {
    const { points, isBox } = this.#edited;
    if (isBox || points.length <= MIN_POINTS) return false;
    this.on.outline(points.toSpliced(index, 1), null);
    return true;
  }

  draw(colour, isBox) {
    this.#edited = null;
    this.#drawn = { points: [], isBox, line: L.polyline([], { color: colour, dashArray: "4 4" }) };
    this.#drawn.line.addTo(this.map);
    this.element.classList.add("drawing");
    this.#drawNew();
  }

  get isDrawing() {
    return this.#drawn !== null;
  }

  takeBack() {
    this.#drawn.points.pop();
    this.#drawNew();
  }

  cancel() {
    if (!this.#drawn) return;
    this.#drawn.line.remove();
    this.#drawn = null;
    this.#handles.clearLayers();
    this.element.classList.remove("drawing");
  }

  /** Close the outline that is drawn; false where it has too few points. */
  finish() {
    if (!this.#drawn) return false;
    const { points, isBox } = this.#drawn;
    if (points.length < (isBox ? 2 : MIN_POINTS)) return false;
    this.cancel();
    this.on.drawn(isBox ? boxMoved([points[0], [0, 0], points[0], [0, 0]], 0, points[1]) : points);
    return true;
  }

  #clicked(event) {
    if (!this.#drawn) {
      this.on.select(null);
      return;
    }
    const point = this.#inside([event.latlng.lng, event.latlng.lat]);
    const last = this.#drawn.points.at(-1);
    // The second click of a double click is the same point.
    if (last && Math.hypot(last[0] - point[0], last[1] - point[1]) < 0.5) return;
    this.#drawn.points.push(point);
    if (this.#drawn.isBox && this.#drawn.points.length === 2) this.finish();
    else this.#drawNew();
  }

  #hovered({ latlng }) {
    if (!this.#drawn?.points.length) return;
    this.#drawn.line.setLatLngs([...this.#drawn.points.map(at), latlng]);
  }

  #drawNew() {
    const { points, line } = this.#drawn;
    line.setLatLngs(points.map(at));
    this.#handles.clearLayers();
    points.forEach((point, index) => {
      const icon = handle(index ? "vertex" : "vertex first");
      const marker = L.marker(at(point), { icon, keyboard: false }).addTo(this.#handles);
      if (!index) marker.on("click", () => this.finish());
    });
    this.on.drawing(points.length);
  }

  #zoomed() {
    this.element.classList.toggle("near", this.map.getZoom() >= 3);
    this.#label();
    if (this.#edited) this.#draw();
  }

  #draw() {
    const { points, isBox, current } = this.#edited;
    const size = this.map.latLngToLayerPoint(at(points[0]));
    const far = points.map((point) => size.distanceTo(this.map.latLngToLayerPoint(at(point))));
    const small = Math.max(...far) < 5 * points.length ? " small" : "";
    this.#handles.clearLayers();
    points.forEach((point, index) => {
      const icon = handle(`vertex${index === current ? " current" : ""}${small}`);
      const marker = L.marker(at(point), { icon, draggable: true, keyboard: false });
      marker.on("click", () => this.on.point(index));
      marker.on("contextmenu", () => this.remove(index));
      this.#dragging(marker, (to) => this.#with(index, to));
      marker.addTo(this.#handles);
    });
    if (isBox) return;
    points.forEach((point, index) => {
      const edge = [point, points[(index + 1) % points.length]];
      const [a, b] = edge.map((end) => this.map.latLngToLayerPoint(at(end)));
      if (a.distanceTo(b) < NEAR) return;
      const options = { icon: handle("middle"), draggable: true, keyboard: false, zIndexOffset: -1000 };
      const marker = L.marker(at(this.#middle(index)), options);
      marker.on("click", () => this.insertAfter(index));
      this.#dragging(marker, (to) => points.toSpliced(index + 1, 0, to));
      marker.addTo(this.#handles);
    });
  }

  #dragging(marker, changed) {
    const points = () => {
      const { lat, lng } = marker.getLatLng();
      return changed(this.#inside([lng, lat]));
    };
    const layer = this.#layers.get(this.#edited.id);
    marker.on("drag", () => layer?.setLatLngs(points().map(at)));
    marker.on("dragend", () => this.on.outline(points(), null));
  }

  #with(index, point) {
    const { points, isBox } = this.#edited;
    return isBox ? boxMoved(points, index, point) : points.with(index, point);
  }

  #middle(index) {
    const { points } = this.#edited;
    const [[x, y], [u, v]] = [points[index], points[(index + 1) % points.length]];
    return this.#inside([(x + u) / 2, (y + v) / 2]);
  }

  /** A point of the picture, to a hundredth of a pixel. */
  #inside(point) {
    const bounded = point.map((value, axis) => Math.min(Math.max(value, 0), this.size[axis]));
    return bounded.map((value) => Math.round(value * 100) / 100);
  }
}
