/**
 * Takes over whether the Control UI around the page is light or dark. The host posts that to each
 * frame; without it, and where scripts are off, the browser's own preference counts.
 */
export const THEME_SCRIPT = `
addEventListener("message", ({ source, data }) => {
  if (source !== parent || data?.type !== "openclaw:widget-theme") return;
  if (data.mode === "light" || data.mode === "dark") document.documentElement.dataset.theme = data.mode;
});
`;
