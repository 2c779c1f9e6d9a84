// The rules, each a function that runs in the page and returns what it found, a sentence each.

/// Nothing clipped, nothing over something else, nothing off the side; not taller than `tallest`; answer, claims and timeline
/// above `fold`.
export function layout({ tallest, fold }) {
  const found = [];
  const short = (text) => `"${text.trim().replace(/\s+/g, " ").slice(0, 50)}"`;
  const isShown = (element) => element.checkVisibility({ contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true });
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} px wide on a screen of ${innerWidth}`);
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, title, .skip, #status") || !isShown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const rects = element.closest("svg") ? [element.getBoundingClientRect()] : [...range.getClientRects()];
    for (const rect of rects) if (rect.width > 0.5) texts.push({ rect, element, text: node.data });
  }
  for (const { rect, element, text } of texts) {
    const bar = element.closest("nav");
    if (!bar && (rect.left < -0.5 || rect.right > innerWidth + 0.5)) found.push(`${short(text)} is off the side`);
    const svg = element.closest("figure > svg");
    if (svg) {
      const box = svg.getBoundingClientRect();
      const isOut = rect.left < box.left - 1 || rect.right > box.right + 1 || rect.top < box.top - 1 || rect.bottom > box.bottom + 1.5;
      if (isOut) found.push(`${short(text)} is clipped by its chart ${short(svg.getAttribute("aria-label") ?? "")}`);
      const size = parseFloat(getComputedStyle(element).fontSize) * (box.width / svg.viewBox.baseVal.width);
      if (size < 8.5) found.push(`${short(text)} is written at ${size.toFixed(1)} px`);
      continue;
    }
    for (let box = element; box && box !== document.body && !bar; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.overflowX === "visible" || style.display === "inline") continue;
      const edge = box.getBoundingClientRect();
      if (rect.left < edge.left - 1 || rect.right > edge.right + 1) found.push(`${short(text)} is clipped by <${box.localName}>`);
    }
  }
  texts.sort((one, other) => one.rect.top - other.rect.top);
  for (let i = 0; i < texts.length; i += 1) {
    const one = texts[i];
    for (let j = i + 1; j < texts.length && texts[j].rect.top < one.rect.bottom - 3; j += 1) {
      const other = texts[j];
      if (one.element === other.element) continue;
      const wide = Math.min(one.rect.right, other.rect.right) - Math.max(one.rect.left, other.rect.left);
      const high = Math.min(one.rect.bottom, other.rect.bottom) - other.rect.top;
      if (wide > 1.5 && high > 3.5) found.push(`${short(one.text)} and ${short(other.text)} lie over each other`);
    }
  }
  for (const svg of document.querySelectorAll("svg[data-zoom]")) {
    if (isShown(svg) && !svg.querySelector(".curve[d]:not([d=''])")) found.push(`the chart ${short(svg.getAttribute("aria-label"))} is empty`);
  }
  for (const row of document.querySelectorAll("tbody tr")) {
    const cells = [...row.querySelectorAll("td")];
    if (isShown(row) && cells.length > 1 && cells.every((cell) => /^[-–\s]*$/.test(cell.textContent))) {
      found.push(`the row ${short(row.textContent)} is all dashes`);
    }
  }
  // Two charts of each arm are open: more than three arms take more room.
  const arms = document.querySelectorAll("#timeline > .pair svg[data-zoom]").length / 2;
  const most = tallest && tallest * Math.max(1, arms / 3);
  if (most && root.scrollHeight > most) found.push(`the page is ${root.scrollHeight} px tall: ${Math.round(most)} are enough`);
  if (fold) {
    const isOfTwo = document.title.includes(" before and ");
    // What does not hold comes before everything else, and may fill the screen.
    const isClear = !isOfTwo && document.querySelectorAll("#claims > table tbody tr").length <= 2;
    for (const id of isClear ? ["answer", "claims", "timeline"] : ["answer", "claims"]) {
      const top = document.getElementById(id)?.getBoundingClientRect().top;
      if (top > fold - 60) found.push(`#${id} begins below the fold, at ${Math.round(top)} px`);
    }
  }
  return found;
}

/// Names and relations for those who do not see the page: WCAG 1.1.1, 1.3.1, 2.4.1, 2.4.6, 2.5.8, 3.1.1, 4.1.2.
export function labels() {
  const found = [];
  const short = (element) => `<${element.localName}> "${element.textContent.trim().slice(0, 40)}"`;
  if (!document.documentElement.lang) found.push("the page names no language");
  if (!document.title.trim()) found.push("the page has no title");
  if (document.querySelectorAll("main").length !== 1) found.push("there is not one <main>");
  if (document.querySelectorAll("h1").length !== 1) found.push(`there are ${document.querySelectorAll("h1").length} first headings`);
  let level = 1;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = +heading.localName[1];
    if (next > level + 1) found.push(`${short(heading)} leaves out a level`);
    level = next;
  }
  for (const svg of document.querySelectorAll("svg:not([aria-hidden])")) {
    if (svg.parentElement.closest("svg")) continue;
    if (svg.getAttribute("role") !== "img" || !svg.getAttribute("aria-label")) found.push("a picture has no label");
  }
  for (const input of document.querySelectorAll("input")) if (!input.labels.length) found.push(`the input ${input.id} has no label`);
  for (const part of document.querySelectorAll("a, button, summary")) if (!part.textContent.trim()) found.push(`${short(part)} has no name`);
  for (const nav of document.querySelectorAll("nav")) if (!nav.getAttribute("aria-label")) found.push("the contents have no label");
  for (const head of document.querySelectorAll("th")) {
    if (!head.scope) found.push(`${short(head)} heads nothing`);
    if (!head.textContent.trim()) found.push("a table has an empty head");
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) found.push("two elements have one id");
  for (const link of document.querySelectorAll("a[href^='#']")) {
    if (!document.getElementById(link.hash.slice(1))) found.push(`${short(link)} leads nowhere`);
  }
  for (const part of document.querySelectorAll("nav a, button, summary, label")) {
    const box = part.getBoundingClientRect();
    if (box.height > 0 && box.height < 24) found.push(`${short(part)} is ${box.height.toFixed(0)} px high: 24 can be hit`);
  }
  return found;
}

/// Every text stands out from what is behind it by 4.5, large text by 3: WCAG 1.4.3.
export function contrast() {
  const found = new Set();
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (color) => {
    if (!known.has(color)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(color, [r, g, b, a / 255]);
    }
    return known.get(color);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];
  const light = (color) => {
    const [r, g, b] = color.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, title, #status") || !element.checkVisibility({ contentVisibilityAuto: true })) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const ink = over(rgba(element.closest("svg") ? style.fill : style.color), ground);
    const [one, two] = [light(ink), light(ground)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < least) found.add(`"${node.data.trim().slice(0, 30)}" has a contrast of ${ratio.toFixed(2)}`);
  }
  return [...found];
}
