/** The style of the page; each color is one that text on it can be read against, light and dark. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f6f7f9, #14161a);
  --card: light-dark(#ffffff, #1c1f25);
  --line: light-dark(#d5d9e0, #363b45);
  --text: light-dark(#1b1f26, #e6e9ee);
  --faint: light-dark(#535b68, #a5adba);
  --link: light-dark(#0b57b7, #8ab8ff);
  --good: light-dark(#166534, #7bd88f);
  --warn: light-dark(#854d0e, #f0c060);
  --bad: light-dark(#b01e2d, #ff9a9a);
  --bar: light-dark(#3b74c4, #6fa3ee);
  --mark: light-dark(#fdeeb5, #4d3f0c);
}
:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { margin: 0; font-size: 1.35rem; }
h2 { margin: 0 0 .6rem; font-size: 1.05rem; }
p { margin: .3rem 0; }
h2, p, li { overflow-wrap: anywhere; }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible, summary:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px;
}
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .3rem .6rem; }
header, nav ul { display: flex; flex-wrap: wrap; align-items: baseline; gap: .3rem 1.2rem; }
header { justify-content: space-between; }
nav ul { list-style: none; margin: .6rem 0 1rem; padding: 0; }
[aria-current] { color: var(--text); font-weight: 600; text-decoration: none; }
nav [aria-current] { border-bottom: 2px solid var(--link); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 0 0 1rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1rem; }
.columns > section { margin: 0; min-width: 0; }
.columns { margin-bottom: 1rem; }
.headline { font-size: 1.1rem; font-weight: 600; margin: .2rem 0 .8rem; overflow-wrap: anywhere; }
.headline::before { content: "●"; margin-right: .5rem; }
.good { color: var(--good); }
.warn { color: var(--warn); }
.bad { color: var(--bad); }
.faint { color: var(--faint); }
dl { display: grid; grid-template-columns: minmax(5rem, max-content) minmax(0, 1fr); gap: .25rem .8rem; margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: .4rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-top: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
.wide { min-width: 12rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; }
figcaption { display: flex; justify-content: space-between; gap: 1rem; }
svg { display: block; width: 100%; height: 5rem; border-bottom: 1px solid var(--faint); }
.bar { fill: var(--bar); }
.bar-bad { fill: var(--bad); }
.items { list-style: none; margin: 0; padding: 0; }
.items > li { border-top: 1px solid var(--line); padding: .6rem 0; overflow-wrap: anywhere; }
.items > li:first-child { border-top: 0; }
.title { font-weight: 600; }
.lines { list-style: none; margin: 0; padding: 0; font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.lines > li { border-top: 1px solid var(--line); padding: .4rem 0; overflow-wrap: anywhere; }
mark { background: var(--mark); color: inherit; padding: 0 .2rem; border-radius: 3px; }
code { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
`;
