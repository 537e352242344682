// Single keys. Off inside fields and while a dialog is open, can be switched off, and never send a form.
//
// A page declares keys of its own in two ways, and both stand in the map:
//   data-key="n" data-key-label="Next draft"   on a link or button: the key clicks it (never a button that sends a form)
//   data-page-keys='{"n": "Next draft"}'       on any element: the page's own script acts; this one keeps its hands off
(() => {
  "use strict";
  const map = document.getElementById("keyboard-map");
  if (!map || !map.showModal) return;
  const SETTING = "vv.single-keys";
  const CHORD = 1500;
  let isWaiting = 0; // the timer of a `g` that waits for its second key
  let hint = null;
  let current = null; // the row that j and k stand on

  const isOn = () => {
    try { return window.localStorage.getItem(SETTING) !== "off"; } catch { return true; }
  };
  const remember = (on) => {
    try { window.localStorage.setItem(SETTING, on ? "on" : "off"); } catch { /* kept for this page only */ }
  };

  const isField = (target) => target instanceof Element && (
    target.closest("input:not([type=checkbox]):not([type=radio]):not([type=button]):not([type=submit]), textarea, select, [contenteditable=true], [role=textbox], [role=combobox], [role=listbox]") !== null);

  function pageKeys() {
    const keys = {};
    for (const holder of document.querySelectorAll("[data-page-keys]")) {
      try { Object.assign(keys, JSON.parse(holder.dataset.pageKeys)); } catch { /* a page's mistake costs its keys only */ }
    }
    return keys;
  }

  const rows = () => [...document.querySelectorAll("#result_list tbody > tr[data-pk], [data-key-rows] > tr")].filter((row) => row.offsetParent !== null);
  const linkOf = (row) => row.querySelector("th a[href], td a[href]");

  function standOn(row) {
    if (current) current.classList.remove("keyboard-row");
    current = row;
    row.classList.add("keyboard-row");
    const link = linkOf(row);
    if (link) link.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function here() {
    const focused = document.activeElement && document.activeElement.closest("#result_list tbody > tr[data-pk], [data-key-rows] > tr");
    if (focused) return focused;
    return current && current.isConnected ? current : null;
  }

  function step(by) {
    const all = rows();
    if (!all.length) return false;
    const at = all.indexOf(here());
    standOn(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)]);
    return true;
  }

  function press(selector, row) {
    const found = row && row.querySelector(selector);
    if (!found) return false;
    found.click();
    return true;
  }

  const sendsForm = (element) => element.form && element.form.method.toLowerCase() === "post" && (element.type === "submit" || element.type === "image");

  function declared(key) {
    for (const element of document.querySelectorAll("[data-key]")) {
      if (element.dataset.key === key && element.offsetParent !== null && !sendsForm(element)) return element;
    }
    return null;
  }

  function stopWaiting() {
    window.clearTimeout(isWaiting);
    isWaiting = 0;
    if (hint) hint.remove();
    hint = null;
  }

  function startWaiting() {
    stopWaiting();
    hint = document.createElement("div");
    hint.className = "keyboard-waiting";
    hint.setAttribute("role", "status");
    hint.textContent = "g … go to";
    document.body.append(hint);
    isWaiting = window.setTimeout(stopWaiting, CHORD);
  }

  function openMap() {
    if (map.open) return;
    const own = map.querySelector("[data-own-keys]");
    const list = own.querySelector("dl");
    list.replaceChildren();
    const keys = Object.entries(pageKeys());
    for (const element of document.querySelectorAll("[data-key][data-key-label]")) keys.push([element.dataset.key, element.dataset.keyLabel]);
    for (const [key, label] of keys) {
      const line = document.createElement("div");
      const term = document.createElement("dt");
      const shown = document.createElement("kbd");
      const text = document.createElement("dd");
      shown.textContent = key;
      text.textContent = label;
      term.append(shown);
      line.append(term, text);
      list.append(line);
    }
    own.hidden = !keys.length;
    map.querySelector("[data-keys-switch]").checked = isOn();
    map.showModal();
  }

  function focusSearch() {
    const field = document.getElementById("searchbar") || document.querySelector("[data-list-search]");
    if (field) {
      field.focus();
      field.select();
    } else {
      document.dispatchEvent(new CustomEvent("search-open"));
    }
    return true;
  }

  const actions = {
    "?": () => { openMap(); return true; },
    "/": focusSearch,
    g: () => { startWaiting(); return true; },
    j: () => step(1),
    k: () => step(-1),
    x: () => press("input.action-select", here()),
    e: () => press("[data-row-expand], [x-on\\:click*=rowOpen]", here()),
    v: () => press("[data-views-menu]", document.body),
    Enter: () => {
      const row = here();
      if (!row || document.activeElement !== document.body) return false; // a focused link opens itself
      return press("th a[href], td a[href]", row);
    },
  };

  function submit(target) {
    const form = target.closest("form");
    if (!form || !isField(target)) return false;
    const button = [...form.elements].find((one) => one.type === "submit" && !one.disabled && one.offsetParent !== null);
    form.requestSubmit(button);
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey || event.metaKey) return;
    if (event.ctrlKey) {
      if (event.key === "Enter" && !event.shiftKey && !document.querySelector("dialog[open]") && submit(event.target)) event.preventDefault();
      return;
    }
    if (document.querySelector("dialog[open]") || isField(event.target)) return;
    if (!isOn()) {
      if (event.key === "/") event.stopImmediatePropagation(); // the theme listens for it too
      return;
    }
    if (event.repeat && !["j", "k"].includes(event.key)) return;
    if (isWaiting) {
      stopWaiting();
      const link = map.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        event.stopImmediatePropagation();
        window.location.assign(link.href);
      }
      return;
    }
    if (Object.hasOwn(pageKeys(), event.key)) return;
    const own = event.key.length === 1 ? declared(event.key) : null;
    if (own) {
      event.preventDefault();
      event.stopImmediatePropagation();
      own.focus();
      own.click();
    } else if (Object.hasOwn(actions, event.key) && actions[event.key]()) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);

  map.addEventListener("click", (event) => {
    if (event.target === map || event.target.closest("[data-close]")) map.close();
  });
  map.querySelector("[data-keys-switch]").addEventListener("change", (event) => remember(event.target.checked));
  document.addEventListener("keyboard-map", openMap);
  for (const button of document.querySelectorAll("[data-keyboard-open]")) {
    button.hidden = false;
    button.addEventListener("click", openMap);
  }
})();
