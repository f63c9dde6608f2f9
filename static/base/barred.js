/** What whoever looks at a page may not do, as the server wrote it into the page. */

/** Why nothing may be changed on this page, or null. */
export function barredHere() {
  return document.body.dataset["barred"] ?? null;
}
