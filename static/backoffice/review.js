/* Keys of the review, and the right half loaded without the page. Everything works without it, too: rows are links,
   what is done are forms. No key finalizes, approves or sends anything. */
(() => {
  "use strict";
  const review = document.querySelector("[data-review]");
  if (!review) return;
  const pair = document.getElementById("pair");
  const keys = document.getElementById("rev-keys");
  const rows = () => Array.from(review.querySelectorAll("a[data-row]"));
  const current = () => rows().find((row) => row.getAttribute("aria-current")) || null;
  const storage = { get: (name) => { try { return localStorage.getItem(name); } catch { return null; } },
    set: (name, value) => { try { localStorage.setItem(name, value); } catch { /* private window: for this page only */ } } };
  let asked = 0;

  function mark(row) {
    for (const other of rows()) {
      other.removeAttribute("aria-current");
      other.closest("tr").classList.remove("is-this");
    }
    row.setAttribute("aria-current", "true");
    row.closest("tr").classList.add("is-this");
  }

  async function choose(row, { focus = true } = {}) {
    const mine = ++asked;
    mark(row);
    if (focus) row.focus();
    row.scrollIntoView({ block: "nearest" });
    pair.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(row.dataset.pair, { credentials: "same-origin", headers: { "X-Requested-With": "fetch" } });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const text = await answer.text();
      if (mine !== asked) return; // the person went on meanwhile
      pair.innerHTML = text;
      pair.scrollTop = 0;
      history.replaceState(null, "", row.getAttribute("href"));
    } catch {
      location.assign(row.href);
    } finally {
      pair.removeAttribute("aria-busy");
    }
  }

  function step(by) {
    const all = rows();
    const place = all.indexOf(current());
    const next = all[place + by];
    if (next) choose(next);
    else {
      const link = review.querySelector(by > 0 ? 'a[rel="next"]' : 'a[rel="prev"]');
      if (link) link.click();
    }
  }

  function press(key) {
    const found = pair.querySelector(`[data-key="${key}"]`);
    if (!found) return false;
    if (found.tagName === "FORM") found.requestSubmit();
    else {
      found.open = true;
      const field = found.querySelector("input:not([type=hidden]), textarea");
      if (field) field.focus();
    }
    return true;
  }

  function toggleWhy() {
    const all = Array.from(pair.querySelectorAll("[data-why]"));
    const open = all.some((each) => !each.open);
    for (const each of all) each.open = open;
  }

  function close() {
    for (const each of pair.querySelectorAll("details.rev-ask[open]")) each.open = false;
    const row = current();
    if (row) row.focus();
  }

  const inField = (target) => target.closest && target.closest("input, textarea, select, [contenteditable=true]");

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || (keys && keys.open)) return;
    if (event.key === "Escape") {
      if (review.contains(event.target) || event.target === document.body) { close(); event.preventDefault(); }
      return;
    }
    if (inField(event.target)) return;
    const off = storage.get("review-keys") === "off";
    if (event.key === "?" && keys) { keys.showModal(); event.preventDefault(); event.stopImmediatePropagation(); return; }
    if (off) return;
    let done = true;
    switch (event.key) {
      case "n": case "j": step(1); break;
      case "p": case "k": step(-1); break;
      case "a": if (!press("a")) step(1); break; // looked at already: on to the next
      case "h": case "x": case "u": case "r": done = press(event.key); break;
      case "w": toggleWhy(); break;
      case "/": { const search = review.querySelector("[data-search]"); if (search) search.focus(); else done = false; break; }
      case "Enter": {
        const row = event.target.closest && event.target.closest("a[data-row]");
        if (row && row === current()) { const open = pair.querySelector("a[data-open]"); if (open) location.assign(open.href); else pair.focus(); }
        else if (row) choose(row);
        else done = false;
        break;
      }
      default: done = false;
    }
    if (done) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);

  review.addEventListener("click", (event) => {
    const row = event.target.closest("a[data-row]");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (matchMedia("(max-width: 1179px)").matches) return; // one column: the link goes down to the pair
    event.preventDefault();
    choose(row);
  });

  pair.addEventListener("submit", (event) => { // the second click of two does nothing
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });

  const button = review.querySelector("[data-keys]");
  if (button && keys) {
    button.hidden = false;
    button.addEventListener("click", () => keys.showModal());
    const off = keys.querySelector("[data-keys-off]");
    off.checked = storage.get("review-keys") === "off";
    off.addEventListener("change", () => storage.set("review-keys", off.checked ? "off" : "on"));
  }

  // After something was done: on to this row, never to the top. Not before the browser has followed the #pair of the
  // address, which is for pages of one column and would take the focus.
  function resume() {
    const wrong = pair.querySelector(".rev-ask[open] input:not([type=hidden])");
    const start = current();
    const asked = new URLSearchParams(location.search);
    if (wrong) wrong.focus();
    else if (start && (asked.has("row") || asked.has("p")) && matchMedia("(min-width: 1180px)").matches) {
      start.scrollIntoView({ block: "nearest" });
      start.focus({ preventScroll: true });
    }
  }
  if (document.readyState === "complete") resume();
  else window.addEventListener("load", () => setTimeout(resume, 0));
})();
