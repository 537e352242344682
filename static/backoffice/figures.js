/* Charts of the back office, drawn from the figures beside them. Comfort only: every chart has its table. */
"use strict";
(function () {
  var drawn = [];
  var short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  function color(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function draw(box) {
    var source = box.nextElementSibling;
    if (!window.uPlot || !source || source.type !== "application/json" || box.dataset.drawn) { return; }
    box.dataset.drawn = "1";
    var data = JSON.parse(source.textContent), labels = data.labels, many = data.series.length > 1;
    var xs = labels.map(function (label, index) { return index; });
    var ink = color("--fin-muted"), grid = color("--fin-line"), font = "12px system-ui, sans-serif";
    var series = data.series.map(function (one, index) {
      var tone = color(index ? "--fin-series-2" : "--fin-series-1");
      return {
        label: one.name, fill: tone, stroke: tone, width: 0, points: { show: false },
        paths: uPlot.paths.bars(many ? { size: [0.36, 24], align: index ? 1 : -1, gap: 1 } : { size: [0.72, 40] })
      };
    });
    function options(width) {
      return {
        width: width, height: 200, padding: [10, 6, 0, 0], cursor: { show: false }, legend: { show: false },
        scales: {
          x: { time: false, range: [-0.6, xs.length - 0.4] },
          y: { range: function (u, low, high) { return [Math.min(0, low || 0), high > 0 ? high * 1.05 : 1]; } }
        },
        axes: [
          { grid: { show: false }, stroke: ink, font: font, size: 30,
            splits: function () {
              var step = Math.max(1, Math.ceil(xs.length / Math.max(2, Math.floor(width / 64))));
              return xs.filter(function (x) { return x % step === 0; });
            },
            values: function (u, splits) { return splits.map(function (x) { return labels[x] || ""; }); } },
          { stroke: ink, font: font, size: 52, grid: { stroke: grid, width: 1 },
            values: function (u, splits) { return splits.map(function (y) { return short.format(y); }); } }
        ],
        series: [{}].concat(series)
      };
    }
    var values = data.series.map(function (one) { return one.values.map(Number); });
    var plot = new uPlot(options(Math.max(200, box.clientWidth)), [xs].concat(values), box);
    if (many) {
      var key = document.createElement("p");
      key.className = "fin-key";
      data.series.forEach(function (one, index) {
        var name = document.createElement("span");
        name.className = "fin-key-" + (index + 1);
        name.textContent = one.name;
        key.append(name);
      });
      box.append(key);
    }
    drawn.push({ box: box, plot: plot });
  }

  function drawAll() {
    drawn = drawn.filter(function (one) {
      if (one.box.isConnected) { return true; }
      one.plot.destroy();
      return false;
    });
    document.querySelectorAll("[data-figures]").forEach(draw);
  }

  function redraw() {
    drawn.forEach(function (one) { one.plot.destroy(); one.box.textContent = ""; delete one.box.dataset.drawn; });
    drawn = [];
    drawAll();
  }

  document.addEventListener("DOMContentLoaded", function () {
    drawAll();
    document.addEventListener("live:refreshed", redraw); // a part that is read again brings its figures with it
    new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    var waiting;
    window.addEventListener("resize", function () { clearTimeout(waiting); waiting = setTimeout(redraw, 150); });
    document.querySelectorAll("[data-print]").forEach(function (button) {
      button.addEventListener("click", function () { window.print(); });
    });
  });
})();
