/* Lists: the totals come after the rows; menus close by Esc and outside; "v" opens the views, "/" the search. */
(() => {
  "use strict";

  const count = async (table, onDemand) => {
    const address = new URL(table.dataset.totals, window.location.href);
    if (onDemand) address.searchParams.set("on_demand", "1");
    const say = (text) => {
      const cell = document.createElement("th");
      cell.colSpan = table.tHead.rows[0].cells.length;
      cell.scope = "row";
      cell.textContent = text;
      table.tFoot.replaceChildren(document.createElement("tr"));
      table.tFoot.rows[0].append(cell);
    };
    if (onDemand) say("Totals are being counted…");
    try {
      const response = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (!response.ok || response.redirected) throw new Error(String(response.status));
      const made = document.createElement("template");
      made.innerHTML = (await response.text()).trim();
      const foot = made.content.querySelector("tfoot");
      if (!foot) throw new Error("no totals");
      const first = table.tBodies[0].rows[0];
      [...foot.querySelectorAll("td")].forEach((cell) => {
        if (first?.querySelector(`.${cell.classList[0]}.one-currency`)) cell.classList.add("one-currency");
      });
      table.tFoot.replaceWith(foot);
      foot.querySelector("[data-count]")?.addEventListener("click", () => count(table, true));
    } catch {
      say("The totals could not be counted. Reload the page to try again.");
    }
  };

  const inField = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

  document.addEventListener("DOMContentLoaded", () => {
    const table = document.getElementById("result_list");
    if (table?.dataset.totals) count(table, false);
    document.getElementById("list-problems")?.focus();

    const menus = [...document.querySelectorAll("details.fl-menu")];
    const close = (except) => menus.forEach((menu) => { if (menu !== except) menu.open = false; });
    menus.forEach((menu) => menu.addEventListener("toggle", () => { if (menu.open) close(menu); }));
    document.addEventListener("click", (event) => close(event.target.closest("details.fl-menu")));
    document.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const open = menus.find((menu) => menu.open);
      if (event.key === "Escape" && open) {
        open.open = false;
        open.querySelector("summary").focus();
        event.preventDefault();
      }
      if (inField(event.target)) return;
      if (event.key === "v") {
        const menu = menus.find((one) => one.dataset.menu === "views");
        if (!menu) return;
        menu.open = true;
        menu.querySelector("a, input")?.focus();
        event.preventDefault();
      }
      if (event.key === "/") {
        document.getElementById("searchbar")?.focus();
        event.preventDefault();
      }
    });
  });
})();
