/**
 * The rows of a long list that are within the scrolled window, with a few on either side.
 * @param {object} list
 * @param {number} list.scrollTop px
 * @param {number} list.height px of the viewport
 * @param {number} list.rowHeight px
 * @param {number} list.count rows
 * @param {number} [list.spare] rows on either side
 * @returns {{first: number, end: number}}
 */
export function rowsInSight({ scrollTop, height, rowHeight, count, spare = 4 }) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - spare);
  const end = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + spare);
  return { first: Math.min(first, count), end: Math.max(end, 0) };
}

/**
 * The scroll position that brings a row wholly into sight with the least movement.
 * @param {object} list
 * @param {number} list.row
 * @param {number} list.scrollTop
 * @param {number} list.height
 * @param {number} list.rowHeight
 */
export function scrollToRow({ row, scrollTop, height, rowHeight }) {
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + height) return top + rowHeight - height;
  return scrollTop;
}
