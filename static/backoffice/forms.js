/* Forms of the back office. A field group for one choice shows only under that choice; a live form shows its figures
   while one types. Without this script everything is there, and the buttons do it. */
(() => {
  function showFor(form) {
    const choice = form.elements.model || form.elements.aggregation;
    if (!choice) return;
    const groups = form.querySelectorAll("[data-for]");
    const apply = () => groups.forEach((group) => {
      group.hidden = !group.dataset.for.split(" ").includes(choice.value);
    });
    choice.addEventListener("change", apply);
    apply();
  }

  function live(form) {
    const typed = form.querySelector("[data-typed]");
    const figures = form.querySelector("[data-figures]");
    if (!typed || !figures || !typed.querySelector("input:not([type=hidden]), select, textarea")) return;
    let timer = 0;
    let asked = 0;
    const marked = (message) => { figures.setAttribute("aria-busy", String(Boolean(message))); };
    async function look() {
      const mine = ++asked;
      const body = new FormData(form);
      body.set("step", "look");
      const answer = await fetch(location.href, { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
      const html = await answer.text();
      if (mine !== asked) return;
      const page = new DOMParser().parseFromString(html, "text/html");
      const next = page.querySelector("[data-figures]");
      const seen = page.querySelector("input[name=seen]");
      if (next) figures.innerHTML = next.innerHTML;
      if (seen) form.elements.seen.value = seen.value;
      figures.querySelectorAll("[value=type]").forEach((button) => button.remove());
      typed.querySelectorAll(".fin-error").forEach((one) => one.remove());
      typed.querySelectorAll("[aria-invalid]").forEach((one) => one.removeAttribute("aria-invalid"));
      if (answer.status === 400) {
        page.querySelectorAll("[data-typed] .fin-field").forEach((one) => {
          const input = one.querySelector("[name]");
          const errors = one.querySelectorAll(".fin-error");
          const here = input && form.elements[input.name];
          if (!here || !errors.length || !here.value) return;
          here.setAttribute("aria-invalid", "true");
          errors.forEach((error) => here.closest(".fin-field").append(error));
        });
        const note = page.querySelector(".fin-note.bad");
        const left = [...page.querySelectorAll("[data-typed] [name]")].filter((one) => form.elements[one.name]);
        if (note && left.every((one) => !one.required || one.value)) figures.prepend(note);
      }
      marked("");
    }
    typed.addEventListener("input", () => {
      marked("busy");
      clearTimeout(timer);
      timer = setTimeout(() => { look().catch(() => marked("")); }, 400);
    });
  }

  function start() {
    document.querySelectorAll("form.fin-form").forEach((form) => {
      showFor(form);
      if (form.hasAttribute("data-live")) live(form);
    });
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
