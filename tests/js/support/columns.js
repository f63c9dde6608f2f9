/** Columns as docs/protocol.md, section 3, writes them, for the tests. */

/** @param {number} bytes */
function padded(bytes) {
  return Math.ceil(bytes / 8) * 8;
}

/**
 * @param {{name: string, type: string, length: number, values?: unknown[], data?: ArrayBufferView}[]} columns
 * @param {{version?: number, kind?: number}} [changes]
 */
export function packColumns(columns, { version = 1, kind = 3 } = {}) {
  const text = new TextEncoder().encode(JSON.stringify(columns.map(({ data: _data, ...described }) => described)));
  const header = new Uint8Array(padded(text.length)).fill(0x20);
  header.set(text);
  const parts = columns.flatMap(({ data }) => (data === undefined ? [] : [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]));
  const bytes = new Uint8Array(8 + header.length + parts.reduce((sum, part) => sum + padded(part.length), 0));
  bytes.set([0x47, 0x47, version, kind]);
  new DataView(bytes.buffer).setUint32(4, header.length, true);
  bytes.set(header, 8);
  let at = 8 + header.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += padded(part.length);
  }
  return bytes.buffer;
}
