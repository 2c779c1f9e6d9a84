// What a chart's titles say, at once and beside the pointer. Without this script the titles say it a moment later.
const hint = document.getElementById("status");
const explain = (title, x, y) => {
  hint.style.display = title ? "block" : "none";
  if (!title) return;
  hint.textContent = title.textContent;
  hint.style.left = Math.max(0, Math.min(x + 12, innerWidth - hint.offsetWidth - 8)) + "px";
  hint.style.top = Math.min(y + 14, innerHeight - hint.offsetHeight - 8) + "px";
};
document.addEventListener("pointermove", (event) => {
  const part = event.target.closest?.(".columns rect, .span");
  explain(part?.querySelector("title"), event.clientX, event.clientY);
});
// A link leads into a fold, which opens; the contents show where the page stands.
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const fold = target.querySelector(":scope > details");
  if (fold) fold.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", reveal);
if (location.hash) reveal();
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const parts = [...links.keys()].map((id) => document.getElementById(id));
const follow = () => {
  const above = parts.filter((part) => part.getBoundingClientRect().top < innerHeight / 3);
  const current = links.get((above.at(-1) ?? parts[0]).id);
  if (current.hasAttribute("aria-current")) return;
  links.forEach((link) => link.removeAttribute("aria-current"));
  current.setAttribute("aria-current", "true");
  const bar = current.closest("nav");
  bar.scrollLeft = current.offsetLeft - bar.clientWidth / 2;
};
addEventListener("scroll", follow, { passive: true });
follow();
// All charts show the stretch that was dragged over in one of them; a double click or Escape shows all of it again. With the
// keyboard the arrows go from second to second.
const charts = [...document.querySelectorAll("svg[data-zoom]")].map((chart) => {
  const inside = chart.querySelector("svg");
  const [left, wide] = [inside.x.baseVal.value, inside.width.baseVal.value];
  const words = [...chart.querySelectorAll("text[data-x]")].map((text) => [text, +text.getAttribute("x")]);
  return { chart, inside, left, wide, words };
});
const show = (from, width) => charts.forEach(({ inside, left, wide, words }) => {
  const height = inside.viewBox.baseVal.height;
  const start = left + from * wide;
  inside.setAttribute("viewBox", `${start} 0 ${width * wide} ${height}`);
  words.forEach(([text, x]) => {
    const at = left + (x - start) / width;
    text.setAttribute("x", at);
    text.style.display = at < left - 3 || at > left + wide ? "none" : "";
  });
});
let from = null;
charts.forEach(({ chart, inside, left, wide }) => {
  const place = (event) => {
    const box = chart.getBoundingClientRect(), view = inside.viewBox.baseVal;
    const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
    return (view.x - left + (Math.min(Math.max(x - left, 0), wide) / wide) * view.width) / wide;
  };
  chart.addEventListener("pointerdown", (event) => { from = place(event); });
  chart.addEventListener("pointerup", (event) => {
    const to = place(event), least = inside.viewBox.baseVal.width / wide / 40;
    if (from !== null && Math.abs(to - from) > least) show(Math.min(from, to), Math.abs(to - from));
    from = null;
  });
  chart.addEventListener("dblclick", () => show(0, 1));
  const columns = [...chart.querySelectorAll(".columns rect")];
  let at = -1;
  const go = (to) => {
    columns[at]?.classList.remove("at");
    at = to;
    columns[at]?.classList.add("at");
    const box = columns[at]?.getBoundingClientRect();
    explain(columns[at]?.querySelector("title"), box?.left, box?.top);
  };
  chart.tabIndex = 0;
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") { go(-1); show(0, 1); }
    if (!step) return;
    event.preventDefault();
    go(Math.min(Math.max(at + step, 0), columns.length - 1));
  });
  chart.addEventListener("blur", () => go(-1));
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
