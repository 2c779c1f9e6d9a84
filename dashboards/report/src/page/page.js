// What a chart's titles say, at once and beside the pointer. Without this script the titles say it a moment later.
const told = document.getElementById("status");
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
const charts = [...document.querySelectorAll("svg[data-zoom]")].map((chart) => {
  const inside = chart.querySelector("svg");
  const [left, wide] = [inside.x.baseVal.value, inside.width.baseVal.value];
  const words = [...chart.querySelectorAll("text[data-x]")].map((text) => [text, +text.getAttribute("x")]);
  return { chart, inside, left, wide, words };
});
const show = (from, width) => charts.forEach(({ inside, left, wide, words }) => {
  const height = inside.viewBox.baseVal.height;
  inside.setAttribute("viewBox", `${from} 0 ${width} ${height}`);
  words.forEach(([text, x]) => {
    const at = left + ((x - from) / width) * wide;
    text.setAttribute("x", at);
    text.style.display = at < left || at > left + wide ? "none" : "";
  });
});
let from = null;
charts.forEach(({ chart, inside, left, wide }) => {
  const place = (event) => {
    const box = chart.getBoundingClientRect(), view = inside.viewBox.baseVal;
    const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
    return view.x + (Math.min(Math.max(x - left, 0), wide) / wide) * view.width;
  };
  chart.addEventListener("pointerdown", (event) => { from = place(event); });
  chart.addEventListener("pointerup", (event) => {
    const to = place(event), least = inside.viewBox.baseVal.width / 40;
    if (from !== null && Math.abs(to - from) > least) show(Math.min(from, to), Math.abs(to - from));
    from = null;
  });
  chart.addEventListener("dblclick", () => show(left, wide));
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
