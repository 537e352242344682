// Global search: a dialog over any page. Ctrl+K opens it, also from inside a field. Answers come from the server as a
// list; an answer to what is no longer typed is dropped.
(() => {
  "use strict";
  const dialog = document.getElementById("search-dialog");
  if (!dialog || !dialog.showModal) return; // the link beside the shortcut leads to a page that needs no script
  const input = document.getElementById("search-input");
  const results = document.getElementById("search-results");
  const status = document.getElementById("search-status");
  const WAIT = 150;
  let timer = 0;
  let asked = 0;
  let request = null;
  let opener = null;
  let pending = ""; // what Enter was pressed on before its answer had come

  const options = () => [...results.querySelectorAll("[role=option]")];
  const chosen = () => results.querySelector("[role=option][aria-selected=true]");

  function choose(option) {
    for (const one of options()) one.setAttribute("aria-selected", String(one === option));
    if (option) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  }

  function move(step) {
    const all = options();
    if (!all.length) return;
    const at = all.indexOf(chosen());
    choose(all[(at + step + all.length) % all.length]);
  }

  function tell(text, link) {
    const said = document.createElement("p");
    said.className = "search-said";
    said.textContent = text;
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link;
      anchor.textContent = "Sign in again";
      said.append(" ", anchor);
    }
    const list = document.createElement("div");
    list.id = "search-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Found");
    results.replaceChildren(list, said);
    status.textContent = text;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  async function ask() {
    const typed = input.value.trim();
    const mine = ++asked;
    if (request) request.abort();
    request = new AbortController();
    try {
      const address = `${dialog.dataset.address}?part=1&q=${encodeURIComponent(typed)}`;
      const answer = await fetch(address, { signal: request.signal, headers: { Accept: "text/html" } });
      if (mine !== asked) return;
      if (answer.redirected || answer.status === 403) {
        tell("You are signed out.", window.location.href);
        return;
      }
      if (!answer.ok) {
        tell("Something failed on our side. Nothing was changed; try again.");
        return;
      }
      const text = await answer.text();
      if (mine !== asked) return;
      const parsed = new DOMParser().parseFromString(text, "text/html");
      results.replaceChildren(...parsed.body.childNodes);
      const said = results.querySelector("[data-search-said]");
      status.textContent = said ? said.textContent : "";
      const first = options()[0];
      input.setAttribute("aria-expanded", String(Boolean(first)));
      choose(first);
      results.scrollTop = 0;
      if (pending) {
        const where = pending;
        pending = "";
        go(where === "tab");
      }
    } catch (error) {
      if (error.name !== "AbortError" && mine === asked) tell("No connection. What you typed is kept; try again.");
    }
  }

  function later() {
    pending = "";
    window.clearTimeout(timer);
    timer = window.setTimeout(() => { timer = 0; ask(); }, WAIT);
  }

  function go(inNewTab) {
    const option = chosen();
    if (!option) return;
    const address = option.getAttribute("href");
    if (address.startsWith("#")) {
      dialog.close();
      document.dispatchEvent(new CustomEvent("keyboard-map"));
    } else if (inNewTab) {
      window.open(address, "_blank", "noopener");
    } else {
      window.location.assign(address);
    }
  }

  function open() {
    if (dialog.open) {
      input.select();
      return;
    }
    if (document.querySelector("dialog[open]")) document.querySelector("dialog[open]").close();
    opener = document.activeElement;
    dialog.showModal();
    input.select();
    ask();
  }

  dialog.addEventListener("close", () => {
    window.clearTimeout(timer);
    asked += 1;
    if (opener && opener.isConnected) opener.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
  results.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (option.getAttribute("href").startsWith("#")) {
      event.preventDefault();
      choose(option);
      go(false);
    }
  });
  input.addEventListener("input", later);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      const inNewTab = event.ctrlKey || event.metaKey;
      if (timer) { // what is shown answers something else; go where the answer leads
        window.clearTimeout(timer);
        timer = 0;
        pending = inNewTab ? "tab" : "here";
        ask();
      } else {
        go(inNewTab);
      }
    } else if (event.key === "Escape" && input.value) {
      event.preventDefault();
      dialog.close();
    }
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      event.stopPropagation();
      open();
    }
  }, true);
  document.addEventListener("search-open", open);
  for (const button of document.querySelectorAll("[data-search-open]")) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      open();
    });
  }
})();
