/**
 * Columns in binary, as docs/protocol.md, section 3, has them: many rows in few bytes.
 *
 * @typedef {{name: string, type: string, length: number, values?: any[]}} Description
 */

export const COLUMNS_TYPE = "application/vnd.gradgate.columns";

const HEADER_BYTES = 8;
const VERSION = 1;
const KIND_COLUMNS = 3;

/**
 * How many bytes a type has for each entry, and how it is read; the arrays assume a little-endian machine.
 * @type {Readonly<Record<string, {bytes: number, read: (buffer: ArrayBuffer, at: number, described: Description) => ArrayLike<any>}>>}
 */
const TYPES = Object.freeze({
  u8: { bytes: 1, read: (buffer, at, { length }) => new Uint8Array(buffer, at, length) },
  u32: { bytes: 4, read: (buffer, at, { length }) => new Uint32Array(buffer, at, length) },
  f32: { bytes: 4, read: (buffer, at, { length }) => new Float32Array(buffer, at, length) },
  f64: { bytes: 8, read: (buffer, at, { length }) => new Float64Array(buffer, at, length) },
  halves: { bytes: 2, read: (buffer, at, { length }) => readHalves(new Uint8Array(buffer, at, 2 * length)) },
  words: { bytes: 0, read: (_buffer, _at, { values = [] }) => values },
  coded: {
    bytes: 4,
    read: (buffer, at, { length, values = [] }) => Array.from(new Uint32Array(buffer, at, length), (code) => values[code]),
  },
});

/** @param {number} bytes */
function padded(bytes) {
  return Math.ceil(bytes / 8) * 8;
}

/**
 * Read columns by their names; a column of a type from a newer server is an error that names it.
 * @param {ArrayBuffer} buffer
 * @returns {Record<string, ArrayLike<any>>}
 */
export function decodeColumns(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEADER_BYTES || view.getUint8(0) !== 0x47 || view.getUint8(1) !== 0x47) {
    throw new Error("malformed columns: they do not begin with GG");
  }
  if (view.getUint8(2) !== VERSION || view.getUint8(3) !== KIND_COLUMNS) {
    throw new Error(`columns of protocol ${view.getUint8(2)}, kind ${view.getUint8(3)}: reload the page`);
  }
  const length = view.getUint32(4, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, HEADER_BYTES, length));
  let at = HEADER_BYTES + length;
  /** @type {Record<string, ArrayLike<any>>} */
  const columns = {};
  for (const described of /** @type {Description[]} */ (JSON.parse(header))) {
    if (!Object.hasOwn(TYPES, described.type)) throw new Error(`unknown type of column: ${described.type}`);
    const { bytes, read } = TYPES[described.type];
    const end = at + padded(bytes * described.length);
    if (end > buffer.byteLength) throw new Error(`malformed columns: ${buffer.byteLength} bytes, wanted ${end}`);
    columns[described.name] = read(buffer, at, described);
    at = end;
  }
  return columns;
}

/**
 * Numbers of which the upper half of a float32 was sent: all upper bytes, then all lower ones.
 * @param {Uint8Array} planes
 */
function readHalves(planes) {
  const length = planes.length / 2;
  const bits = new Uint32Array(length);
  for (let i = 0; i < length; i += 1) bits[i] = (planes[i] << 24) | (planes[length + i] << 16);
  return new Float32Array(bits.buffer);
}
