/* Comfort only: every page works without this file. */
"use strict";
(function () {
  // A form that moves money, or changes something, is sent once.
  document.querySelectorAll("form[data-once]").forEach(function (form) {
    form.addEventListener("submit", function (event) {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
      form.querySelectorAll("button").forEach(function (button) { button.setAttribute("aria-disabled", "true"); });
    });
  });
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) { window.location.reload(); } // back: show what is true now, never an old amount
  });
  // The chart is drawn from the table's figures below it; they stay the reading for everybody.
  var short = new Intl.NumberFormat(document.documentElement.lang, { notation: "compact", maximumFractionDigits: 1 });
  var chart = null;
  function options(days, xs, width) {
    return {
      width: width, height: 220, padding: [12, 8, 0, 0],
      cursor: { show: false }, legend: { show: false },
      scales: { x: { time: false, range: [-0.6, xs.length - 0.4] }, y: { range: function (u, low, high) { return [0, high > 0 ? high * 1.05 : 1]; } } },
      axes: [
        { grid: { show: false }, stroke: "#4b5563", font: "12px system-ui, sans-serif", size: 32,
          splits: function () { var step = Math.max(1, Math.ceil(xs.length / Math.max(2, Math.floor(width / 90)))); return xs.filter(function (x) { return x % step === 0; }); },
          values: function (u, splits) { return splits.map(function (x) { return days[x] ? days[x].label : ""; }); } },
        { stroke: "#4b5563", font: "12px system-ui, sans-serif", size: 52, grid: { stroke: "#e5e7eb" },
          values: function (u, splits) { return splits.map(function (y) { return short.format(y); }); } }
      ],
      series: [{}, { fill: "#1f4e79", stroke: "#1f4e79", width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 40] }) }]
    };
  }
  function draw() {
    var box = document.querySelector("[data-chart]"), source = document.getElementById("chart-days");
    if (!box || !source || !window.uPlot) { return; }
    var days = JSON.parse(source.textContent);
    var xs = days.map(function (row, index) { return index; });
    var values = days.map(function (row) { return Number(row.quantity); });
    if (chart) { chart.destroy(); }
    var width = box.clientWidth || box.parentNode.clientWidth; // an empty box takes no room yet
    chart = new uPlot(options(days, xs, width), [xs, values], box);
    if (box.clientWidth !== width) { chart.setSize({ width: box.clientWidth, height: 220 }); }
  }
  draw();
  window.addEventListener("resize", function () {
    var box = document.querySelector("[data-chart]");
    if (chart && box) { chart.setSize({ width: box.clientWidth, height: 220 }); }
  });
  document.addEventListener("live:refreshed", draw); // the figures below were read again
})();
