// The page's own script: filters, the address's hash, copying, printing. Without it everything is shown.
(() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const rows = all(".clause").map((row) => ({ row, kind: row.dataset.kind, words: row.querySelector(".head").textContent.toLowerCase() }));
  const sections = all("main > section");
  const buttons = all("[data-show]");
  const find = document.getElementById("find");
  const state = { show: "all", find: "" };

  const apply = () => {
    const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, kind, words: text } of rows) {
      row.hidden = !((state.show === "all" || state.show === kind) && words.every((word) => text.includes(word)));
      row.classList.remove("first-shown");
      if (!row.hidden) shown += 1;
    }
    for (const section of sections) {
      const first = section.querySelector(".clause:not([hidden])");
      section.hidden = !first;
      if (first) first.classList.add("first-shown");
    }
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === state.show));
    if (find.value !== state.find) find.value = state.find;
    document.querySelector(".shown").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} clauses`;
    document.querySelector(".nothing").hidden = shown > 0;
  };

  const asHash = () => {
    const told = new URLSearchParams();
    if (state.show !== "all") told.set("show", state.show);
    if (state.find) told.set("find", state.find);
    return `#${told}`;
  };

  const write = (push) => {
    history[push ? "pushState" : "replaceState"](null, "", asHash());
    apply();
  };

  const anchored = () => {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* not ours */ }
    return name.startsWith("clause:") ? document.getElementById(name) : null;
  };

  // a hash is either a clause's place or the state of the filter
  const read = () => {
    const target = anchored();
    const told = new URLSearchParams(target ? "" : location.hash.slice(1));
    const show = told.get("show");
    state.show = buttons.some((button) => button.dataset.show === show) ? show : "all";
    state.find = told.get("find") ?? "";
    apply();
    if (target) {
      const violation = target.querySelector(".violation");
      if (violation) violation.open = true;
      target.scrollIntoView();
    }
  };

  for (const button of buttons) {
    button.addEventListener("click", () => { state.show = button.dataset.show; write(true); });
  }
  find.addEventListener("input", () => { state.find = find.value; write(false); });
  document.querySelector(".filter").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", read);
  addEventListener("popstate", read);

  const opener = document.querySelector(".all-open");
  opener?.addEventListener("click", () => {
    const open = opener.getAttribute("aria-pressed") !== "true";
    opener.setAttribute("aria-pressed", String(open));
    for (const violation of all(".violation")) violation.open = open;
  });

  const copy = async (node) => {
    try {
      await navigator.clipboard.writeText(node.textContent);
      return true;
    } catch {
      getSelection().selectAllChildren(node);
      return document.execCommand("copy");
    }
  };
  for (const button of all(".copy")) {
    button.addEventListener("click", async () => {
      const done = await copy(button.parentElement.querySelector("code"));
      button.textContent = done ? "Copied" : "Select and copy";
      document.getElementById("said").textContent = done ? "The curl line is copied." : "Copying is not allowed here.";
      setTimeout(() => { button.textContent = "Copy"; document.getElementById("said").textContent = ""; }, 2000);
    });
  }

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });

  for (const part of all(".js")) part.hidden = false;
  read();
})();
