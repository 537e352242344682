/* Trying a quantity: amounts follow while one types, and the curves are drawn. Without this script the button does it. */
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
  let drawn = [];

  function draw() {
    drawn.forEach((chart) => chart.destroy());
    drawn = [];
    const data = document.getElementById("price-curves");
    if (!data || !window.uPlot) return;
    const curves = JSON.parse(data.textContent);
    document.querySelectorAll("[data-chart]").forEach((place) => {
      const curve = curves[place.dataset.chart];
      if (!curve) return;
      const axis = {
        stroke: css("--fin-muted"), grid: { stroke: css("--fin-line"), width: 1 },
        ticks: { stroke: css("--fin-line") }, values: (chart, marks) => marks.map((one) => short.format(one)),
      };
      const mark = Number(curve.mark);
      const options = {
        width: Math.max(place.clientWidth, 240), height: 220, legend: { show: true },
        scales: { x: { time: false } },
        axes: [{ ...axis }, { ...axis, size: 60 }],
        series: [{ label: "Quantity" }, { label: curve.label, stroke: css("--fin-accent"), width: 2 }],
        hooks: {
          draw: [(chart) => {
            if (!curve.mark || mark <= 0) return;
            const x = chart.valToPos(mark, "x", true);
            chart.ctx.save();
            chart.ctx.strokeStyle = css("--fin-muted");
            chart.ctx.setLineDash([4, 4]);
            chart.ctx.beginPath();
            chart.ctx.moveTo(x, chart.bbox.top);
            chart.ctx.lineTo(x, chart.bbox.top + chart.bbox.height);
            chart.ctx.stroke();
            chart.ctx.restore();
          }],
        },
      };
      drawn.push(new window.uPlot(options, [curve.x.map(Number), curve.y.map(Number)], place));
    });
  }

  function start() {
    const form = document.querySelector("[data-try]");
    if (!form) return;
    const preview = form.querySelector("[data-preview]");
    let timer = 0;
    let asked = 0;
    async function refresh() {
      const mine = ++asked;
      const query = new URLSearchParams(new FormData(form));
      const answer = await fetch(`${form.dataset.try}?${query}`, { headers: { "X-Requested-With": "fetch" } });
      if (!answer.ok || mine !== asked) return;
      const html = await answer.text();
      if (mine !== asked) return;
      const focused = document.activeElement && document.activeElement.name;
      const typed = focused ? document.activeElement.value : "";
      const caret = focused ? document.activeElement.selectionStart : 0;
      const open = [...preview.querySelectorAll("details")].map((one) => one.open);
      preview.innerHTML = html;
      preview.querySelectorAll("details").forEach((one, index) => { one.open = Boolean(open[index]); });
      const field = focused && form.elements[focused];
      if (field) {
        field.value = typed;
        field.focus();
        field.setSelectionRange(caret, caret);
      }
      draw();
    }
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => { refresh().catch(() => {}); }, 300);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const query = new URLSearchParams(new FormData(form));
      history.replaceState(null, "", `?${query}#try`);
      refresh().catch(() => form.submit());
    });
    draw();
    new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(draw, 200); });
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
