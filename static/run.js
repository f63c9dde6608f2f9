/** The entry of a run's page. */
import { byId } from "./base/dom.js";
import { placeMenu } from "./base/menu.js";
import { readTokens } from "./charts/theme_tokens.js";
import { RunPage } from "./pages/run_page.js";

const TICK_MS = 250;

const page = new RunPage();
page.listen();
page.filter.addEventListener("input", () => page.setFilter(page.filter.value));
byId("collapse", HTMLElement).addEventListener("click", () => page.collapseAll(true));
byId("expand", HTMLElement).addEventListener("click", () => page.collapseAll(false));
document.addEventListener("keydown", (event) => page.shortcut(event));
placeMenu(byId("export", HTMLElement), byId("export-open", HTMLElement));
window.addEventListener("popstate", () => page.goBack());
document.addEventListener("themechange", () => page.takeTheme());
byId("help", HTMLElement).addEventListener("open", () => void showSigns());
new ResizeObserver(() => page.redrawFlow()).observe(byId("flow", HTMLElement));
document.addEventListener("visibilitychange", () => page.look());
setInterval(() => page.tick(), TICK_MS);

/** Nobody waits for the meaning of the signs while the page opens. */
async function showSigns() {
  const { SignLegend } = await import("./heatmap/sign_legend.js");
  new SignLegend(byId("signs", HTMLElement)).draw(readTokens());
}
