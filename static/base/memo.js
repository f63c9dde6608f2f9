/** Remembers what something was last made from, so that it is made again only after a change. */
export class Memo {
  constructor() {
    /** @type {readonly unknown[] | null} */
    this.last = null;
  }

  /**
   * Is any of the values another than last time? Objects are compared by identity.
   * @param {...unknown} values
   */
  differs(...values) {
    const { last } = this;
    this.last = values;
    return last === null || values.length !== last.length || values.some((value, i) => !Object.is(value, last[i]));
  }
}
