// The tabs of the desk: one panel at a time, arrow keys between them.

import { get } from "./parts.js";

const tabs = () => [...document.querySelectorAll("[role=tab]")];

export function openTab(name) {
  for (const tab of tabs()) {
    const isIt = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(isIt));
    tab.tabIndex = isIt ? 0 : -1;
    get(tab.getAttribute("aria-controls")).hidden = !isIt;
  }
}

export function buildTabs() {
  for (const tab of tabs()) tab.addEventListener("click", () => openTab(tab.id.replace("tab-", "")));
  document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const all = tabs(), next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    openTab(next.id.replace("tab-", ""));
    next.focus();
  });
}
