/**
 * The bus of a corehost in the browser: one WebSocket a page, which reconnects and resumes by itself.
 *
 *     import { connect } from "/static/corehost/corehost.js";
 *     const host = connect();
 *     host.subscribe("clock:*", (message) => show(message.payload));
 *     const { zone } = await host.call("clock", "now", {});
 *
 * @module corehost
 */

const PATH = "/api/plugins/messages";
const PROTOCOL = "corehost.v1";
const FIRST_PAUSE = 250; // milliseconds; doubled with each failure
const LONGEST_PAUSE = 15_000;
const SIGNED_OUT = 1008;
const BUSY = -32005;

/** @typedef {{id: string, type: string, source: string, payload: any, timestamp: number, seq: number, target?: string,
 *   correlationId?: string, meta?: object, cause?: string}} Message */

/** What the host refused, with the code of the JSON-RPC error and, for bad input, `data.errors`. */
export class HostError extends Error {
  constructor({ code, message, data }) {
    super(message);
    this.name = "HostError";
    this.code = code;
    this.data = data;
  }
}

let only;

/**
 * Connect this page to its host; every call returns the same connection.
 * @param {{url?: string}} [options] `url` is the WebSocket's address, by default that of this page's host.
 * @returns {Host}
 */
export function connect(options = {}) {
  only ??= new Host(options.url ?? location.origin.replace(/^http/, "ws") + PATH);
  return only;
}

/** Return the connection of this page. */
export const host = () => connect();

/** One connection to the host. Use `connect()`. */
class Host {
  /** Who is signed in, `{id, roles}`. */
  user = null;
  /** The public id of this browser session; `session:<id>` is its target. */
  session = null;
  /** `"connecting"`, `"open"`, `"waiting"` (to reconnect) or `"closed"` (signed out; it does not come back). */
  state = "connecting";

  #url;
  #socket = null;
  #failures = 0;
  #heard = false;
  #ticker = 0;
  #lastId = 0;
  #answers = new Map(); // by request id
  #entries = new Set(); // subscriptions
  #watches = new Set();
  #listeners = new Map(); // by event
  #open; // settles with the connection that is open, or with the next one
  #opened;

  constructor(url) {
    this.#url = url;
    this.#expect();
    /** Resolves when the host has said welcome for the first time. */
    this.ready = this.#open;
    addEventListener("online", () => this.state === "waiting" && this.#connect());
    this.#connect();
  }

  /**
   * Hear the messages whose type matches a pattern; `*` stands for any run of characters.
   * After a lost connection nothing is missed, or the event `gap` tells what was.
   * @param {string} pattern
   * @param {(message: Message, at: {cursor: string}) => void} handler
   * @param {{source?: string | string[], since?: string}} [options] `since`: the cursor of the last message known.
   * @returns {() => void} ends the subscription
   */
  subscribe(pattern, handler, { source, since } = {}) {
    const entry = { pattern, source, handler, cursor: since, id: null, seq: 0, matches: matcher(pattern, source) };
    this.#entries.add(entry);
    if (this.state === "open") this.#subscribe(entry);
    return () => {
      this.#entries.delete(entry);
      if (entry.id !== null && this.state === "open") this.#tell("bus.unsubscribe", { subscription: entry.id });
    };
  }

  /**
   * Publish a message.
   * @param {string} type
   * @param {any} [payload]
   * @param {{target?: string, meta?: object}} [options]
   * @returns {Promise<Message>} the message as the host stamped it
   */
  async send(type, payload = null, { target, meta } = {}) {
    return (await this.#ask("bus.send", { type, payload, target, meta })).message;
  }

  /**
   * Ask on the bus.
   * @param {string} type
   * @param {any} [payload]
   * @param {{timeout?: number}} [options] `timeout` in milliseconds
   * @returns {Promise<any>} the first answer
   */
  async request(type, payload = null, { timeout } = {}) {
    return (await this.#ask("bus.request", { type, payload, timeout })).response;
  }

  /** Call a method of a plugin and return its result. */
  async call(plugin, method, input = null) {
    return (await this.#ask("plugins.call", { plugin, method, input })).result;
  }

  /** Return `{items, cursor}` of the history, oldest first; `{type?, limit?, since?}`. */
  history({ type, limit, since } = {}) {
    return this.#ask("bus.history", { type, limit, since });
  }

  /**
   * Follow a store of a plugin, `{plugin, store}`, or a shared value, `{key}`.
   * @param {{plugin: string, store: string} | {key: string}} topic
   * @param {(value: any, at: {version: number}) => void} handler called with the value now and after each change
   * @returns {() => void} ends the watch
   */
  watch(topic, handler) {
    const watch = { topic, handler, id: null };
    this.#watches.add(watch);
    if (this.state === "open") this.#watch(watch);
    return () => {
      this.#watches.delete(watch);
      if (watch.id !== null && this.state === "open") this.#tell("state.unwatch", { watch: watch.id });
    };
  }

  /**
   * Hear of the connection: `open`, `close` ({code, reason}), `state` (its name), `gap` ({from, to}: messages that
   * are lost, reload what depends on them), `error` (an HostError that has no caller).
   * @returns {() => void} stops it
   */
  on(event, handler) {
    const handlers = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  #connect() {
    this.#become("connecting");
    const socket = (this.#socket = new WebSocket(this.#url, PROTOCOL));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(JSON.parse(data));
    socket.onclose = (event) => socket === this.#socket && this.#lost(event);
  }

  #receive({ id, method, params, result, error }) {
    this.#heard = true;
    if (method !== undefined) {
      this.#notices[method]?.(params);
      return;
    }
    const answer = this.#answers.get(id);
    this.#answers.delete(id);
    if (error) answer?.reject(new HostError(error));
    else answer?.resolve(result);
  }

  #notices = {
    "session.welcome": (welcome) => this.#welcome(welcome),
    "bus.message": ({ message, cursor }) => this.#deliver(message, cursor),
    "bus.gap": (gap) => this.#skip(gap),
    "state.changed": ({ value, version, ...topic }) => {
      for (const watch of this.#watches) {
        if (watch.id !== null && sameTopic(watch.topic, topic)) this.#run(watch.handler, value, { version });
      }
    },
    "ui.navigate": ({ path, replace, state }) => navigate(path, replace, state),
  };

  #welcome({ session, user, heartbeat }) {
    Object.assign(this, { session, user });
    this.#failures = 0;
    this.#ticker = setInterval(() => this.#beat(), heartbeat);
    this.#become("open");
    this.#opened();
    for (const entry of this.#entries) this.#subscribe(entry);
    for (const watch of this.#watches) this.#watch(watch);
    this.#emit("open");
  }

  async #subscribe(entry) {
    const { pattern: type, source, cursor: since } = entry;
    const socket = this.#socket;
    try {
      const { subscription, cursor } = await this.#say("bus.subscribe", { type, source, since });
      if (cursor !== since) entry.seq = 0; // a fresh start, or another run of the host, which counts anew
      Object.assign(entry, { id: subscription, cursor });
      if (!this.#entries.has(entry)) this.#tell("bus.unsubscribe", { subscription });
    } catch (error) {
      this.#again(error, socket, () => this.#entries.has(entry) && this.#subscribe(entry));
    }
  }

  async #watch(watch) {
    const socket = this.#socket;
    try {
      const { watch: id, value, version } = await this.#say("state.watch", watch.topic);
      watch.id = id;
      if (this.#watches.has(watch)) this.#run(watch.handler, value, { version });
      else this.#tell("state.unwatch", { watch: id });
    } catch (error) {
      this.#again(error, socket, () => this.#watches.has(watch) && this.#watch(watch));
    }
  }

  /** Try once more what the host was too busy for; a lost connection begins anew by itself. */
  #again(error, socket, retry) {
    if (socket !== this.#socket || !(error instanceof HostError)) return;
    if (error.code === BUSY) setTimeout(() => socket === this.#socket && retry(), spread(2_000));
    else this.#emit("error", error);
  }

  #deliver(message, cursor) {
    for (const entry of [...this.#entries]) {
      // What another subscription brings again while it catches up, this one has had already.
      if (entry.id === null || message.seq <= entry.seq || !entry.matches(message)) continue;
      Object.assign(entry, { cursor, seq: message.seq });
      this.#run(entry.handler, message, { cursor });
    }
  }

  #skip(gap) {
    for (const entry of this.#entries) {
      if (entry.cursor === gap.from) entry.cursor = gap.to;
    }
    this.#emit("gap", gap);
  }

  async #beat() {
    if (!this.#heard) {
      this.#lost({ code: 1006, reason: "The host does not answer." });
      return;
    }
    this.#heard = false;
    const { cursor } = await this.#say("ping", {}).catch(() => ({}));
    if (!cursor) return;
    // All up to here has come, so what resumes from here looks through less.
    for (const entry of this.#entries) if (entry.id !== null) entry.cursor = cursor;
  }

  #lost({ code, reason }) {
    const socket = this.#socket;
    this.#socket = null;
    clearInterval(this.#ticker);
    if (this.state === "open") this.#expect();
    for (const { reject } of this.#answers.values()) reject(new Error("The connection to the host was lost."));
    this.#answers.clear();
    for (const entry of [...this.#entries, ...this.#watches]) entry.id = null;
    socket?.close();
    this.#become(code === SIGNED_OUT ? "closed" : "waiting");
    this.#emit("close", { code, reason });
    if (this.state === "waiting") this.#reconnect();
  }

  #reconnect() {
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++);
    setTimeout(() => this.state === "waiting" && this.#connect(), spread(pause));
  }

  #expect() {
    this.#open = new Promise((resolve) => (this.#opened = resolve));
  }

  async #ask(method, params) {
    if (this.state === "closed") throw new Error("Signed out.");
    await this.#open;
    return this.#say(method, params);
  }

  #say(method, params) {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#answers.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  #tell(method, params) {
    this.#socket.send(JSON.stringify({ jsonrpc: "2.0", method, params }));
  }

  #become(state) {
    this.state = state;
    this.#emit("state", state);
  }

  #emit(event, ...details) {
    for (const handler of this.#listeners.get(event) ?? []) this.#run(handler, ...details);
  }

  #run(handler, ...details) {
    try {
      handler(...details);
    } catch (error) {
      reportError(error); // one handler's mistake must not keep the next from hearing
    }
  }
}

function matcher(pattern, source) {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*+/g, "[^]*");
  const type = new RegExp(`^${escaped}$`);
  const sources = source === undefined ? null : [source].flat();
  return (message) => (!sources || sources.includes(message.source)) && type.test(message.type);
}

function sameTopic(one, other) {
  return one.plugin === other.plugin && one.store === other.store && one.key === other.key;
}

function spread(milliseconds) {
  return milliseconds * (0.5 + Math.random() / 2); // so that not all browsers return in one moment
}

/** Go where a plugin sends this browser; only to pages of this host. */
function navigate(path, replace, state) {
  const goal = new URL(path, location.href);
  if (!path.startsWith("/") || goal.origin !== location.origin) return;
  if (state !== undefined && state !== null) {
    history[replace ? "replaceState" : "pushState"](state, "", goal);
    location.reload();
  } else if (replace) location.replace(goal);
  else location.assign(goal);
}
