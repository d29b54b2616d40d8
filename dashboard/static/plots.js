// The plots of the overview, all from one request, redrawn every 20 seconds while the page is looked at.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const frame = document.querySelector(".plots");
  // Told apart also by those who see no red or green (Okabe and Ito).
  const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#b8a900", "#888888"];
  // As every other time of the pages: 24 hours, and the month before the day.
  const TIMES = [
    [86400, "{MM}/{DD}", null, null, null, null, null, null, 1],
    [3600, "{HH}:{mm}", "\n{MM}/{DD}", null, "\n{MM}/{DD}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", "\n{MM}/{DD}", null, "\n{MM}/{DD}", null, null, null, 1],
  ];
  const drawn = new Map();
  const dark = () => getComputedStyle(document.documentElement).getPropertyValue("color-scheme").includes("dark");

  const options = (box, series) => {
    const ink = getComputedStyle(document.body).color;
    const axis = { stroke: ink, grid: { stroke: dark() ? "#fff2" : "#0002" }, ticks: { show: false }, font: "11px sans-serif" };
    return {
      width: box.clientWidth, height: 200,
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [{ ...axis, values: TIMES }, { ...axis, size: 56 }],
      series: [{}, ...series.map((each, index) => ({ label: each.name, stroke: COLOURS[index % COLOURS.length], width: 1.5, spanGaps: false, points: { show: false } }))],
      legend: { live: false },
    };
  };

  const draw = (box, found) => {
    const { series, times } = found;
    const names = series.map((each) => each.name).join();
    const known = drawn.get(box);
    if (known && known.names === names && names) { known.plot.setData([times, ...series.map((each) => each.values)]); return; }
    known?.plot.destroy();
    drawn.delete(box);
    box.textContent = series.length ? "" : box.dataset.empty;
    if (series.length) drawn.set(box, { names, plot: new uPlot(options(box, series), [times, ...series.map((each) => each.values)], box) });
  };

  const all = async () => {
    if (document.hidden) return;
    const answer = await fetch(`/plots?window=${frame.dataset.window}`).catch(() => null);
    // What was drawn stays; the next answer may be one.
    if (!answer || !answer.ok) return;
    const found = await answer.json();
    document.querySelectorAll(".plot").forEach((box) => draw(box, found[box.dataset.metric]));
  };
  addEventListener("resize", () => drawn.forEach(({ plot }, box) => plot.setSize({ width: box.clientWidth, height: 200 })));
  all();
  setInterval(all, 20_000);
});
