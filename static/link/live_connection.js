/**
 * The live connection to the server: opens, watches, and opens again.
 *
 * The server speaks at least every two seconds, so silence means a lost connection even where the
 * socket has not noticed.
 *
 * @typedef {import("../wire.js").Wire} Wire
 *
 * @typedef {object} LiveHandlers
 * @property {(message: Wire["server_to_browser"]) => void} onMessage
 * @property {(frame: ArrayBuffer) => void} onFrame
 * @property {() => void} onOpen
 * @property {(reason: string) => void} onLost with the server's own sentence, or ""
 */
import { rooted } from "../base/root.js";
import { Since } from "../base/since.js";
import { backoff } from "./backoff.js";

const SILENCE_MS = 8000;
const REFUSED = 1008;
/** As `WebSocket.OPEN`. */
const OPEN = 1;

export class LiveConnection {
  /**
   * @param {string} path
   * @param {(url: string) => WebSocket} [connect]
   */
  constructor(path, connect = (url) => new WebSocket(url)) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${rooted(path)}`;
    this.connect = connect;
    this.connected = false;
    /** @type {Since | null} the last word of a connection that is lost */
    this.lost = null;
    /** @type {Since | null} the last word of the server */
    this.heard = null;
    this.attempt = 0;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {LiveHandlers | null} */
    this.handlers = null;
    /** What the page wants to be told of, as it is said to the server; "" for everything. */
    this.wish = "";
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.silence = undefined;
  }

  /** Seconds since the connection was lost, or null while it stands. */
  get lostFor() {
    return this.lost?.seconds ?? null;
  }

  /** @param {LiveHandlers} handlers */
  open(handlers) {
    const socket = this.connect(this.url);
    socket.binaryType = "arraybuffer";
    const heard = () => {
      clearTimeout(this.silence);
      this.silence = setTimeout(() => this.#dropped(socket, handlers), SILENCE_MS);
    };
    heard();
    socket.addEventListener("open", () => {
      heard();
      if (this.wish !== "") socket.send(this.wish);
      socket.addEventListener("message", () => this.#stands(handlers), { once: true });
    });
    socket.addEventListener("message", ({ data }) => {
      this.heard = new Since();
      heard();
      if (typeof data === "string") handlers.onMessage(JSON.parse(data));
      else handlers.onFrame(data);
    });
    socket.addEventListener("close", ({ code, reason }) =>
      this.#dropped(socket, handlers, code === REFUSED ? reason : ""),
    );
    Object.assign(this, { socket, handlers });
  }

  /**
   * Say what the page shows, now and whenever the connection is opened again: nothing else is sent.
   * @param {Wire["browser_to_server"]} watch
   */
  watch(watch) {
    const wish = JSON.stringify(watch);
    if (wish === this.wish) return;
    this.wish = wish;
    if (this.socket?.readyState === OPEN) this.socket.send(wish);
  }

  /** Open it anew after a silence that the timer has slept through. */
  dropIfSilent() {
    const { socket, handlers, heard, connected } = this;
    if (socket === null || handlers === null || heard === null) return;
    if (connected && heard.ms > SILENCE_MS) this.#dropped(socket, handlers);
  }

  /** The server has spoken: an opened socket alone may yet be refused. @param {LiveHandlers} handlers */
  #stands({ onOpen }) {
    Object.assign(this, { connected: true, lost: null, attempt: 0 });
    onOpen();
  }

  /**
   * @param {WebSocket} socket
   * @param {LiveHandlers} handlers
   * @param {string} [reason]
   */
  #dropped(socket, handlers, reason = "") {
    if (socket !== this.socket) return;
    this.socket = null;
    clearTimeout(this.silence);
    socket.close();
    this.connected = false;
    this.lost ??= this.heard ?? new Since();
    handlers.onLost(reason);
    setTimeout(() => this.open(handlers), backoff(this.attempt));
    this.attempt += 1;
  }
}
