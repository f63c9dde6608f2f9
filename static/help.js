/** The dialog with the keys, the version and the way to the documentation, on every page. */
import { byId } from "./base/dom.js";

/** Where a question mark is a letter. */
const FIELDS = "input:not([type=checkbox], [type=radio]), textarea, select";

const dialog = byId("help", HTMLDialogElement);

/** Show it, once; a page that has more to show in it hears of that. */
function open() {
  if (dialog.open) return;
  dialog.dispatchEvent(new Event("open"));
  dialog.showModal();
}

byId("help-open", HTMLElement).addEventListener("click", open);
// Its own keys are no shortcuts of the page.
dialog.addEventListener("keydown", (event) => event.stopPropagation());
// What a dialog before it keeps to itself is heard, too.
document.addEventListener(
  "keydown",
  (event) => {
    const typing = event.target instanceof Element && event.target.matches(FIELDS);
    if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
    event.preventDefault();
    open();
  },
  { capture: true },
);
