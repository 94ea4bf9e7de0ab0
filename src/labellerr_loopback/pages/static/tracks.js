// Trajectories in the form of Labellerr's video_json: {startFrame, frames: {"3": {frame, answer}}}.

const numbers = new WeakMap();
const corners = new WeakMap();

/** The frames that have an outline of their own, ascending. */
export function framesOf(track) {
  if (!numbers.has(track)) {
    const outlined = Object.keys(track.frames).filter((n) => isOutline(track.frames[n].answer));
    numbers.set(track, outlined.map(Number).sort((a, b) => a - b));
  }
  return numbers.get(track);
}

/** The platform takes whatever calls itself an answer. */
function isOutline(answer) {
  return Array.isArray(answer) ? answer.length > 2 : Number.isFinite(answer?.xmin);
}

/**
 * The outline on a frame: its own, or (`exact` is false) the last one before it, as long as the track
 * goes on; null outside of it. A file of trajectories may hold every n-th frame only.
 */
export function outlineAt(track, frame) {
  const frames = framesOf(track);
  if (!frames.length || frame < frames[0] || frame > frames.at(-1)) return null;
  let low = 0;
  let high = frames.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (frames[middle] <= frame) low = middle;
    else high = middle - 1;
  }
  const { answer } = track.frames[frames[low]];
  if (!corners.has(answer)) corners.set(answer, cornersOf(answer));
  return { points: corners.get(answer), exact: frames[low] === frame };
}

/** The last outline at or before a frame, wherever the track ends; null before its beginning. */
export function lastOutline(track, frame) {
  return outlineAt(track, Math.min(frame, framesOf(track).at(-1) ?? 0));
}

export function withOutline(track, frame, points, isBox, time) {
  const old = track.frames[frame];
  const answer = isBox ? boxOf(points, old?.answer) : points.map(([x, y]) => ({ x, y }));
  const timestamp = old ? {} : { timestamp: Math.round(time * 1000) / 1000 };
  return made(track, { ...track.frames, [frame]: { ...old, frame, answer, ...timestamp } });
}

/** Null where it was the only frame. */
export function withoutFrame(track, frame) {
  const { [frame]: gone, ...left } = track.frames;
  return Object.keys(left).length ? made(track, left) : null;
}

export function canSplit(track, frame) {
  const frames = framesOf(track);
  return frames[0] < frame && frame <= frames.at(-1);
}

/** What is before a frame, and what is from it on. */
export function split(track, frame) {
  const part = (keep) => Object.fromEntries(Object.entries(track.frames).filter(([n]) => keep(+n)));
  const { name, ...rest } = track;
  return [made(track, part((n) => n < frame)), made(rest, part((n) => n >= frame))];
}

/** One track of two; where both have an outline, that of the first stays. */
export function join(first, second) {
  return made(first, { ...second.frames, ...first.frames });
}

export function inBoth(first, second) {
  return framesOf(first).filter((number) => number in second.frames).length;
}

function made(track, frames) {
  return { ...track, startFrame: Math.min(...Object.keys(frames).map(Number)), frames };
}

function cornersOf(answer) {
  if (Array.isArray(answer)) return answer.map(({ x, y }) => [x, y]);
  const { xmin, ymin, xmax, ymax } = answer;
  return [[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax]];
}

function boxOf(points, old) {
  const x = points.map((point) => point[0]);
  const y = points.map((point) => point[1]);
  const rotation = old?.rotation ?? 0;
  const [xmin, ymin, xmax, ymax] = [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
  return { xmin, ymin, xmax, ymax, rotation };
}
