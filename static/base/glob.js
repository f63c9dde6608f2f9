/**
 * The globs of targets and filters: `*` is any text (dots too), `?` one character, `[a-c]` one of a
 * set, `[!a-c]` one outside it, as Python's `fnmatch` reads them.
 *
 * @typedef {(character: string) => boolean} One does a piece of the glob take this character?
 */

const STAR = null;

/** @param {string} text */
export function isGlob(text) {
  return /[*?[]/.test(text);
}

/**
 * What a word of a filter finds: a glob the whole of a name, any other text a part of it, in upper or lower case.
 * @param {string} word
 * @returns {(name: string) => boolean}
 */
export function wordMatcher(word) {
  if (isGlob(word)) return globMatcher(word);
  const piece = word.toLowerCase();
  return (name) => name.toLowerCase().includes(piece);
}

/**
 * Does the glob match the whole name? At most (pieces × characters) comparisons, whatever the glob:
 * only the last `*` ever gives back what it took.
 * @param {string} pattern
 * @returns {(name: string) => boolean}
 */
export function globMatcher(pattern) {
  const pieces = parse(Array.from(pattern));
  return (name) => matchesWhole(pieces, Array.from(name));
}

/**
 * @param {readonly (One | null)[]} pieces
 * @param {readonly string[]} characters
 */
function matchesWhole(pieces, characters) {
  let piece = 0;
  let star = -1;
  let taken = 0; // where the characters after the last star's share begin
  for (let i = 0; i < characters.length; ) {
    const one = pieces[piece];
    if (one === STAR) {
      star = piece;
      taken = i;
      piece += 1;
    } else if (one?.(characters[i])) {
      piece += 1;
      i += 1;
    } else if (star >= 0) {
      taken += 1;
      i = taken;
      piece = star + 1;
    } else return false;
  }
  return pieces.slice(piece).every((rest) => rest === STAR);
}

/**
 * @param {readonly string[]} pattern
 * @returns {(One | null)[]}
 */
function parse(pattern) {
  /** @type {(One | null)[]} */
  const pieces = [];
  for (let i = 0; i < pattern.length; i += 1) {
    const character = pattern[i];
    const end = character === "[" ? endOfSet(pattern, i) : -1;
    if (character === "*") pieces.push(STAR);
    else if (character === "?") pieces.push(() => true);
    else if (end < 0) pieces.push((other) => other === character);
    else {
      pieces.push(oneOf(pattern.slice(i + 1, end)));
      i = end;
    }
  }
  return pieces;
}

/**
 * @param {readonly string[]} pattern
 * @param {number} start
 */
function endOfSet(pattern, start) {
  const first = pattern[start + 1] === "!" ? start + 2 : start + 1;
  return pattern.indexOf("]", first + 1);
}

/**
 * @param {readonly string[]} body what stands between the brackets
 * @returns {One}
 */
function oneOf(body) {
  const negated = body[0] === "!";
  const members = negated ? body.slice(1) : body;
  /** @type {[number, number][]} */
  const ranges = [];
  for (let i = 0; i < members.length; ) {
    const isRange = members[i + 1] === "-" && i + 2 < members.length;
    ranges.push([codeOf(members[i]), codeOf(members[isRange ? i + 2 : i])]);
    i += isRange ? 3 : 1;
  }
  return (character) => {
    const code = codeOf(character);
    return ranges.some(([low, high]) => low <= code && code <= high) !== negated;
  };
}

/** @param {string} character */
function codeOf(character) {
  return character.codePointAt(0) ?? 0;
}
