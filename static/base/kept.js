/**
 * What a browser keeps between visits, by key; where it keeps nothing (a page inside a notebook may be
 * forbidden to) what is kept lasts as long as the page.
 *
 * @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} Kept
 */

/**
 * @param {() => Kept} storage throws where it is forbidden
 * @returns {Kept}
 */
export function keptIn(storage) {
  try {
    return storage();
  } catch {
    /** @type {Map<string, string>} */
    const memory = new Map();
    return {
      getItem: (key) => memory.get(key) ?? null,
      setItem: (key, value) => void memory.set(key, value),
      removeItem: (key) => void memory.delete(key),
    };
  }
}

export const kept = keptIn(() => localStorage);
