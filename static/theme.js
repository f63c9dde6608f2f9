// Chooses the theme before first paint, so it is a classic script in the head and blocks.
(() => {
  const KEY = "gradgate-theme";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;

  /** @returns {string} auto, light or dark */
  function choice() {
    try {
      return localStorage.getItem(KEY) ?? "auto";
    } catch {
      return root.dataset["themeChoice"] ?? "auto"; // storage is forbidden: the page's own memory
    }
  }

  /** @param {string} value */
  function choose(value) {
    root.dataset["themeChoice"] = value;
    try {
      localStorage.setItem(KEY, value);
    } catch {
      // storage is forbidden: the choice lasts as long as the page
    }
    apply();
  }

  function apply() {
    const chosen = choice();
    root.dataset["themeChoice"] = chosen;
    root.dataset["theme"] = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
    for (const button of document.querySelectorAll("[data-choose-theme]")) {
      const own = button.getAttribute("data-choose-theme");
      button.setAttribute("aria-pressed", String(own === chosen));
    }
    document.dispatchEvent(new CustomEvent("themechange"));
  }

  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("[data-choose-theme]");
    if (button) choose(button.getAttribute("data-choose-theme") ?? "auto");
  });
})();
