/** The entry of the page that compares runs. */
import { ComparePage } from "./pages/compare_page.js";

const page = new ComparePage(location.search);
document.addEventListener("themechange", () => page.draw());
document.addEventListener("visibilitychange", () => page.load());
new ResizeObserver(() => page.draw()).observe(document.body);
window.addEventListener("popstate", () => page.goBack());
page.load();
