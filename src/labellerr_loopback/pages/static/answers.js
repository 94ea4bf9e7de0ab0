// What a person has changed: answers that are never altered, only replaced, and how they are saved.

/** Answers by id, in their order; a change is a new Map, so undo and redo are a matter of keeping. */
export class History {
  #past = [];
  #future = [];

  constructor(answers) {
    this.now = answers;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** Puts answers (new, or instead of those with the same id) and removes others. */
  change(put, removed = []) {
    const next = new Map(this.now);
    for (const id of removed) next.delete(id);
    for (const answer of put) next.set(answer.id, answer);
    this.replace(next);
  }

  replace(next) {
    this.#past.push(this.now);
    this.#future = [];
    this.now = next;
  }

  undo() {
    if (!this.canUndo) return;
    this.#future.push(this.now);
    this.now = this.#past.pop();
  }

  redo() {
    if (!this.canRedo) return;
    this.#past.push(this.now);
    this.now = this.#future.pop();
  }
}

export function byId(answers) {
  return new Map(answers.map((answer) => [answer.id, answer]));
}

/**
 * Sends the difference between what the platform has and what is wanted, one request at a time.
 *
 * `told(state, detail)` hears of "saved", "saving", "conflict" (with the file as it is now),
 * "failed" (nobody answers; tried again by itself) and "refused" (tried again when asked to).
 */
export class Saver {
  #running = null; // a promise, while something is being sent
  #blocked = false;
  #timer = 0;

  constructor(url, told) {
    this.url = url;
    this.told = told;
  }

  /** The platform has this now. */
  seen(file) {
    this.revision = file.revision;
    this.saved = this.wanted = byId(file.answers);
    this.status = this.wantedStatus = file.status;
    this.#blocked = false;
    return this.saved;
  }

  get pending() {
    return this.saved !== this.wanted || this.status !== this.wantedStatus;
  }

  want(answers, status) {
    this.wanted = answers;
    this.wantedStatus = status;
    return this.#run();
  }

  /** Save what is wanted over what somebody else has made of the file meanwhile. */
  overwrite(file) {
    this.revision = file.revision;
    this.saved = byId(file.answers);
    if (this.wantedStatus === this.status) this.wantedStatus = file.status;
    this.status = file.status;
    this.#blocked = false;
    return this.#run();
  }

  again() {
    this.#blocked = false;
    return this.#run();
  }

  /** Ends when all is saved, or when nothing can be saved for now. */
  #run() {
    clearTimeout(this.#timer);
    this.#running ??= this.#sendAll().finally(() => (this.#running = null));
    return this.#running;
  }

  async #sendAll() {
    while (this.pending && !this.#blocked) {
      this.told("saving");
      await this.#send(this.wanted, this.wantedStatus);
    }
    if (!this.pending) this.told("saved");
  }

  async #send(answers, status) {
    const body = JSON.stringify({
      revision: this.revision,
      put: [...answers.values()].filter((a) => this.saved.get(a.id) !== a).map(sent),
      removed: [...this.saved.keys()].filter((id) => !answers.has(id)),
      ...(status === this.status ? {} : { status }),
    });
    let answer;
    let told;
    try {
      const headers = { "Content-Type": "application/json" };
      answer = await fetch(this.url, { method: "PATCH", headers, body });
      told = await answer.json();
    } catch {
      return this.#later("the platform does not answer. Is it still running?");
    }
    if (answer.ok) {
      this.revision = told.response.revision;
      this.saved = answers;
      this.status = status;
    } else if (answer.status === 409 && told.response) {
      this.#blocked = true;
      this.told("conflict", told.response);
    } else if (answer.status >= 500) {
      this.#later(told.message);
    } else {
      this.#blocked = true;
      this.told("refused", told.message);
    }
  }

  #later(why) {
    this.#blocked = true;
    this.told("failed", why);
    this.#timer = setTimeout(() => this.again(), 2000);
  }
}

function sent(answer) {
  const { id, question_id } = answer;
  return answer.track
    ? { id, question_id, track: answer.track }
    : { id, question_id, points: answer.points };
}
