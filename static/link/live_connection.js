/**
 * The live connection to the server: opens, watches, and opens again.
 *
 * The server speaks at least every two seconds, so silence means a lost connection even where the
 * socket has not noticed.
 *
 * @typedef {object} LiveHandlers
 * @property {(message: import("../wire.js").LiveMessage) => void} onMessage
 * @property {(frame: ArrayBuffer) => void} onFrame
 * @property {() => void} onOpen
 * @property {(reason: string) => void} onLost with the server's own sentence, or ""
 */
import { backoff } from "./backoff.js";

const SILENCE_MS = 8000;
const REFUSED = 1008;

export class LiveConnection {
  /**
   * @param {string} path
   * @param {LiveHandlers} handlers
   */
  constructor(path, handlers) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.handlers = handlers;
    this.connected = false;
    /** @type {number | null} when the connection was lost, by performance.now() */
    this.lostSince = null;
    this.attempt = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.silence = undefined;
    this.#open();
  }

  /** Seconds since the connection was lost, or null while it stands. */
  get lostFor() {
    return this.lostSince === null ? null : (performance.now() - this.lostSince) / 1000;
  }

  #open() {
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    const heard = () => {
      clearTimeout(this.silence);
      this.silence = setTimeout(() => this.#dropped(socket), SILENCE_MS);
    };
    heard();
    socket.addEventListener("open", () => {
      heard();
      socket.addEventListener("message", () => this.#stands(), { once: true });
    });
    socket.addEventListener("message", ({ data }) => {
      heard();
      if (typeof data === "string") this.handlers.onMessage(JSON.parse(data));
      else this.handlers.onFrame(data);
    });
    socket.addEventListener("close", ({ code, reason }) =>
      this.#dropped(socket, code === REFUSED ? reason : ""),
    );
    this.socket = socket;
  }

  /** The server has spoken: an opened socket alone may yet be refused. */
  #stands() {
    Object.assign(this, { connected: true, lostSince: null, attempt: 0 });
    this.handlers.onOpen();
  }

  /**
   * @param {WebSocket} socket
   * @param {string} [reason]
   */
  #dropped(socket, reason = "") {
    if (socket !== this.socket) return;
    this.socket = undefined;
    clearTimeout(this.silence);
    socket.close();
    this.connected = false;
    this.lostSince ??= performance.now();
    this.handlers.onLost(reason);
    setTimeout(() => this.#open(), backoff(this.attempt));
    this.attempt += 1;
  }
}
