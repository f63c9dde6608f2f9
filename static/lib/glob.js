/**
 * The globs of targets and filters: `*` is any text (dots too), `?` one character, `[a-c]` one of a
 * set, `[!a-c]` one outside it, as Python's `fnmatch` reads them.
 */

/** @param {string} text */
export function isGlob(text) {
  return /[*?[]/.test(text);
}

/**
 * Does the glob match the whole name? Linear in practice: only `*` can give back what it took.
 * @param {string} pattern
 * @returns {(name: string) => boolean}
 */
export function globMatcher(pattern) {
  let source = "";
  const characters = Array.from(pattern);
  for (let i = 0; i < characters.length; i += 1) {
    const character = characters[i];
    if (character === "*") {
      if (!source.endsWith(".*")) source += ".*";
    } else if (character === "?") {
      source += ".";
    } else if (character === "[") {
      const end = endOfSet(characters, i);
      if (end < 0) source += "\\[";
      else {
        source += setSource(characters.slice(i + 1, end).join(""));
        i = end;
      }
    } else {
      source += character.replace(/[\\^$.|+(){}\]/]/u, "\\$&");
    }
  }
  const expression = new RegExp(`^${source}$`, "su");
  return (name) => expression.test(name);
}

/**
 * @param {string[]} characters
 * @param {number} start
 */
function endOfSet(characters, start) {
  const first = characters[start + 1] === "!" ? start + 2 : start + 1;
  return characters.indexOf("]", first + 1);
}

/** @param {string} body */
function setSource(body) {
  const negated = body.startsWith("!");
  const members = (negated ? body.slice(1) : body).replace(/[\\\]^[]/g, "\\$&");
  const ordered = members.replace(/(.)-(.)/gsu, (range, low, high) => (low > high ? "" : range));
  if (ordered === "") return negated ? "." : "(?!)";
  return `[${negated ? "^" : ""}${ordered}]`;
}
