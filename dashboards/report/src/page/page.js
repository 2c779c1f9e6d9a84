// What a chart's titles say, at once and beside the pointer. Without this script the titles say it a moment later.
const told = document.getElementById("told");
document.addEventListener("pointermove", (event) => {
  const part = event.target.closest?.(".columns rect, .span");
  const title = part?.querySelector("title");
  told.style.display = title ? "block" : "none";
  if (!title) return;
  told.textContent = title.textContent;
  told.style.left = Math.max(0, Math.min(event.clientX + 12, innerWidth - told.offsetWidth - 8)) + "px";
  told.style.top = event.clientY + 14 + "px";
});
// All charts show the stretch that was dragged over in one of them; a double click shows all of it again.
let from = null;
const charts = [...document.querySelectorAll("svg[data-zoom]")];
const place = (chart, event) => {
  const box = chart.getBoundingClientRect(), view = chart.viewBox.baseVal;
  return view.x + ((event.clientX - box.left) / box.width) * view.width;
};
const show = (x, width) => charts.forEach((chart) => {
  chart.setAttribute("viewBox", `${x} 0 ${width} ${chart.dataset.height}`);
  chart.setAttribute("preserveAspectRatio", width < +chart.dataset.width ? "none" : "xMidYMid");
});
charts.forEach((chart) => {
  chart.addEventListener("pointerdown", (event) => { from = place(chart, event); });
  chart.addEventListener("pointerup", (event) => {
    const to = place(chart, event);
    if (from !== null && Math.abs(to - from) > 12) show(Math.min(from, to), Math.abs(to - from));
    from = null;
  });
  chart.addEventListener("dblclick", () => show(0, +chart.dataset.width));
});
// The page's own figures as a file.
const save = document.getElementById("save");
save.hidden = false;
save.addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([document.getElementById("run").textContent], { type: "application/json" }));
  link.download = "run.json";
  link.click();
  URL.revokeObjectURL(link.href);
});
