/* Resolves the theme before the first paint: the server knows the user's choice, only the device knows "auto". */
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const resolve = () => {
    const choice = root.dataset.theme;
    root.dataset.bsTheme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
  };
  resolve();
  dark.addEventListener("change", resolve);
  new MutationObserver(resolve).observe(root, { attributeFilter: ["data-theme"] });
})();
