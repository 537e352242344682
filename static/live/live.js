/* Parts of a page that are read again when something changed. See valueverse/live/README.md.
   <section id="so-far" data-live-group="customer:cus_..." data-live-refresh="/portal/" data-live-events="usage. invoice.">
   Comfort only: every page works without this file. Nothing is computed here: a part is fetched as the server writes it. */
"use strict";
(function () {
  var PATH = "/ws/live", PROTOCOL = "valueverse.live.v1";
  var FIRST_WAIT = 1000, LONGEST_WAIT = 60000, STABLE = 30000;   // milliseconds, as all below
  var EVERY = 1500;         // a part is fetched again at most this often, unless data-live-every says otherwise
  var EVERY_OF_ALL = 5000;  // the dashboard's, which hears of every customer
  var SPREAD = 400;         // many pages hear one frame: they do not all ask in the same moment
  var SAID_EVERY = 10000;   // screen readers are told at most this often
  var GIVEN_UP = 20000;     // without a connection for this long, the page says as of when its figures are
  var ENDED = 4401, MALFORMED = 4400, NO_SUCH_GROUP = 4404;

  var parts = [];           // {element, groups, events, url, timer, fetching, again, at}
  var wasEnded = false;     // by the server, for who we are: a new session is tried once
  var socket = null, attempt = 0, timer = null, lostAt = 0, wasOpen = false, isOver = false, stableTimer = null;

  function all(selector, root) { return Array.prototype.slice.call((root || document).querySelectorAll(selector)); }

  function collect() {
    parts = all("[data-live-group]").map(function (element) {
      var known = parts.filter(function (part) { return part.element === element; })[0];
      return known || {
        element: element,
        groups: element.dataset.liveGroup.split(/\s+/).filter(Boolean),
        events: (element.dataset.liveEvents || "").split(/\s+/).filter(Boolean),
        url: element.dataset.liveRefresh || window.location.href,
        every: Number(element.dataset.liveEvery) || (element.dataset.liveGroup === "dashboard" ? EVERY_OF_ALL : EVERY),
        timer: null, fetching: false, again: false, at: 0
      };
    });
  }

  function groups() {
    var found = [];
    parts.forEach(function (part) { part.groups.forEach(function (name) { if (found.indexOf(name) < 0) { found.push(name); } }); });
    return found;
  }

  // The connection ---------------------------------------------------------------------------------------------------
  function connect() {
    clearTimeout(timer);
    timer = null;
    if (socket || isOver || !parts.length || !window.WebSocket) { return; }
    var scheme = window.location.protocol === "https:" ? "wss://" : "ws://";
    var mine = socket = new WebSocket(scheme + window.location.host + PATH, [PROTOCOL]);
    mine.addEventListener("open", function () { mine.send(JSON.stringify({ type: "subscribe", groups: groups() })); });
    mine.addEventListener("message", function (event) { if (socket === mine) { hear(JSON.parse(event.data)); } });
    mine.addEventListener("close", function (event) { if (socket === mine) { socket = null; lose(event.code); } });
  }

  function hear(message) {
    if (message.type === "subscribed") {
      wasOpen = true;
      wasEnded = false;
      lostAt = 0;
      stableTimer = setTimeout(function () { attempt = 0; }, STABLE);
      say("live");
      refreshAll();   // what happened since the page was written, or while we were away
    } else if (message.type === "resync") {
      refreshAll();
    } else if (message.type === "event") {
      parts.forEach(function (part) {
        var concerned = part.groups.indexOf(message.group) >= 0;
        var wanted = !part.events.length || part.events.some(function (start) { return message.event.indexOf(start) === 0; });
        if (concerned && wanted) { refreshSoon(part); }
      });
    }
  }

  function lose(code) {
    clearTimeout(stableTimer);
    if (!lostAt) { lostAt = Date.now(); }
    if (wasEnded || code === NO_SUCH_GROUP || code === MALFORMED) { isOver = true; say("as-of"); return; }
    wasEnded = code === ENDED;   // signed out, or the session got another key: the cookie of now will tell
    // Full jitter: a server that comes back is not asked by everybody at once.
    var wait = Math.min(LONGEST_WAIT, FIRST_WAIT * Math.pow(2, attempt)) * (0.5 + Math.random() / 2);
    attempt += 1;
    timer = setTimeout(connect, wait);
    say(wasOpen && Date.now() - lostAt < GIVEN_UP ? "reconnecting" : "as-of");
  }

  // Parts ------------------------------------------------------------------------------------------------------------
  function refreshAll() { parts.forEach(function (part) { refreshSoon(part); }); }

  function refreshSoon(part) {
    if (part.timer || document.hidden) { part.again = part.again || document.hidden; return; }
    if (part.fetching) { part.again = true; return; }
    var wait = Math.max(Math.random() * SPREAD, part.at + part.every - Date.now());
    part.timer = setTimeout(function () { part.timer = null; refresh(part); }, wait);
  }

  function refresh(part) {
    part.fetching = true;
    part.again = false;
    part.at = Date.now();
    return fetch(part.url, { headers: { "X-Live": "1" }, credentials: "same-origin", redirect: "manual", cache: "no-store" })
      .then(function (answer) {
        if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) { stop(); return null; }
        return answer.ok ? answer.text() : null;
      })
      .then(function (html) { if (html !== null) { show(part, html); } })
      .catch(function () { /* the network; the next frame or connection asks again */ })
      .then(function () {
        part.fetching = false;
        if (part.again) { refreshSoon(part); }
      });
  }

  // Signed out: what the page shows stays, and says as of when.
  function stop() {
    isOver = true;
    say("as-of");
    if (socket) { socket.close(); }
  }

  function show(part, html) {
    var page = new DOMParser().parseFromString(html, "text/html");
    var fresh = found(part.element, page);
    if (!fresh) { return; }
    var figures = all("[data-live-figure]", part.element), before = figures.map(function (one) { return one.textContent; });
    var changed = morph(part.element, document.adoptNode(fresh));
    if (changed) {
      figures.filter(function (one, place) { return one.textContent !== before[place]; }).forEach(flash);
      announce(part.element);
      part.element.dispatchEvent(new CustomEvent("live:refreshed", { bubbles: true }));
    }
    if (socket && wasOpen && !lostAt) { say("live"); }
  }

  // The part in an answer, which is a whole page, the part itself, or what is inside the part.
  function found(element, page) {
    var fresh = element.id ? page.getElementById(element.id) : null;
    if (fresh) { return fresh; }
    if (page.querySelector("main, #content")) { return null; }   // a page that does not have it any more
    var only = page.body.children.length === 1 ? page.body.firstElementChild : null;
    if (only && only.nodeName === element.nodeName && only.dataset.liveGroup === element.dataset.liveGroup) { return only; }
    fresh = element.cloneNode(false);
    while (page.body.firstChild) { fresh.appendChild(page.body.firstChild); }
    return fresh;
  }

  // Makes `old` like `fresh` in place, so that focus, scroll position, selection and opened details stay. True if it differed.
  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) { old.replaceWith(fresh); return true; }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue === fresh.nodeValue) { return false; }
      old.nodeValue = fresh.nodeValue;
      return true;
    }
    if (old.hasAttribute("data-live-keep") && fresh.hasAttribute("data-live-keep")) { return false; }
    if (old.nodeName === "INPUT" && (old.type === "hidden" || old === document.activeElement)) { return false; }
    var changed = attributes(old, fresh);
    var olds = Array.prototype.slice.call(old.childNodes), news = Array.prototype.slice.call(fresh.childNodes);
    news.forEach(function (node, place) {
      if (place < olds.length) { changed = morph(olds[place], node) || changed; }
      else { old.appendChild(node); changed = true; }
    });
    olds.slice(news.length).forEach(function (node) { node.remove(); changed = true; });
    return changed;
  }

  function attributes(old, fresh) {
    var changed = false;
    Array.prototype.slice.call(fresh.attributes).forEach(function (one) {
      if (one.name === "nonce" || (old.nodeName === "DETAILS" && one.name === "open")) { return; }
      if (old.getAttribute(one.name) !== one.value) { old.setAttribute(one.name, one.value); changed = changed || one.name.indexOf("data-live") !== 0; }
    });
    Array.prototype.slice.call(old.attributes).forEach(function (one) {
      var ours = one.name === "nonce" || one.name === "data-live-fresh" || (old.nodeName === "DETAILS" && one.name === "open");
      if (!ours && !fresh.hasAttribute(one.name)) { old.removeAttribute(one.name); changed = true; }
    });
    return changed;
  }

  function flash(element) {
    element.setAttribute("data-live-fresh", "");
    setTimeout(function () { element.removeAttribute("data-live-fresh"); }, 1200);
  }

  // Words ------------------------------------------------------------------------------------------------------------
  // <p data-live-state data-word-live="Live" data-word-reconnecting="Reconnecting" data-word-as-of="As of {time}">
  //   <span data-live-word>As of 14:02</span> <a href="" data-live-link>Refresh</a></p>
  function say(state) {
    all("[data-live-state]").forEach(function (element) {
      var at = all("[data-live-at]")[0];
      var words = element.getAttribute("data-word-" + state) || "";
      var text = words.replace("{time}", at ? at.dataset.liveAt : "");
      var word = element.querySelector("[data-live-word]"), link = element.querySelector("[data-live-link]");
      if (word && word.textContent !== text) { word.textContent = text; }
      if (link) { link.hidden = state !== "as-of"; }
      element.setAttribute("data-live-state", state);
    });
  }

  var lastSaid = 0, sayTimer = null;
  function announce(element) {
    var region = document.querySelector("[data-live-announcer]");
    if (!region || !element.querySelector("[data-live-say]") || sayTimer) { return; }
    sayTimer = setTimeout(function () {
      sayTimer = null;
      lastSaid = Date.now();
      region.textContent = all("[data-live-say]", element).map(function (one) { return one.dataset.liveSay; }).join(" ");
    }, Math.max(0, lastSaid + SAID_EVERY - Date.now()));
  }

  // Beginning and end ------------------------------------------------------------------------------------------------
  function comeBack() {
    if (document.hidden) { return; }
    parts.forEach(function (part) { if (part.again) { part.again = false; refreshSoon(part); } });
    if (!socket && timer) { connect(); }
  }
  document.addEventListener("visibilitychange", comeBack);
  window.addEventListener("online", comeBack);
  window.addEventListener("pagehide", function () { if (socket) { var open = socket; socket = null; open.close(); } });
  window.addEventListener("pageshow", function (event) { if (event.persisted) { connect(); } });
  function begin() { collect(); connect(); }
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", begin); } else { begin(); }
})();
