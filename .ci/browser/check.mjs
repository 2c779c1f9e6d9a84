// Looks at pages of runs in a real browser: nothing is clipped, nothing lies over something else, nothing is off the side,
// what matters is above the fold, every text has the contrast and every part the label that WCAG 2.2 AA asks for, the
// keyboard reaches everything, and no heading ends a printed page.
//
//   npm ci --prefix .ci/browser
//   node .ci/browser/check.mjs [--shots FOLDER] runs/*/report.html
//
// Prints each problem and exits with 1 if there is one. With --shots it keeps pictures and the printed page.

import { writeFileSync, mkdirSync, existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { contrast, labels, layout } from "./rules.mjs";

const WIDTHS = [400, 800, 1280];
const HEIGHT = 800;
// A page is read, not scrolled through: folded it is no taller than this at each width.
const TALLEST = { 400: 9000, 800: 6500, 1280: 5000 };
// Points of paper: the lower margin, and what a heading has below its upper end at least: itself and two lines.
const FOOT = 40;
const BELOW_HEADING = 45;

const args = process.argv.slice(2);
const shots = args[0] === "--shots" ? args.splice(0, 2)[1] : null;
const paths = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = process.env.CHROMIUM ?? paths.find(existsSync);
if (!executablePath) throw new Error(`no browser at ${paths.join(", ")}; name one in CHROMIUM`);
if (args.length === 0) throw new Error("no page is given");
if (shots) mkdirSync(shots, { recursive: true });

const problems = [];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const began = Date.now();
for (const path of args) {
  const context = await browser.newContext({ viewport: { width: WIDTHS.at(-1), height: HEIGHT }, colorScheme: "light" });
  const page = await context.newPage();
  const name = join(basename(dirname(resolve(path))), basename(path));
  page.on("pageerror", (error) => problems.push(`${name}: script: ${error.message}`));
  await page.goto(pathToFileURL(path).href);
  const report = (where, found) => problems.push(...found.map((problem) => `${name} ${where}: ${problem}`));
  report("by keyboard", await byKeyboard(page));
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: HEIGHT });
    for (const isOpen of [false, true]) {
      await unfold(page, isOpen);
      const where = `${width} ${isOpen ? "open" : "folded"}`;
      const limits = { tallest: isOpen ? null : TALLEST[width], fold: !isOpen && width >= 1280 ? HEIGHT : null };
      report(where, await page.evaluate(layout, limits));
      for (const colorScheme of ["dark", "light"]) {
        await page.emulateMedia({ colorScheme });
        if (isOpen && width === WIDTHS.at(-1)) report(`${where} ${colorScheme}`, await page.evaluate(contrast));
        if (shots) await page.screenshot({ path: join(shots, file(`${name} ${where} ${colorScheme}.png`)), fullPage: true });
      }
    }
  }
  report("open", await page.evaluate(labels));
  report("printed", await printed(page, name));
  await context.close();
}
await browser.close();
problems.forEach((problem) => console.error(problem));
const seconds = ((Date.now() - began) / 1000).toFixed(0);
console.log(`${args.length} pages at ${WIDTHS.join(", ")} px, light, dark and printed, in ${seconds} s: ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);

/// Every fold open, or as the page begins.
async function unfold(page, isOpen) {
  await page.evaluate((open) => {
    document.querySelectorAll("details").forEach((fold) => { fold.open = open; });
    scrollTo(0, 0);
  }, isOpen);
}

/// Links open the folds they lead into, the contents follow, the focus is seen, and charts answer to arrows.
async function byKeyboard(page) {
  const found = [];
  for (let step = 0; step < 16; step += 1) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const at = document.activeElement;
      const shown = at.matches("input[type=radio]") ? at.nextElementSibling : at;
      const style = getComputedStyle(shown);
      return { name: `${at.tagName} ${at.textContent.slice(0, 30)}`, is: style.outlineStyle !== "none", body: at === document.body };
    });
    if (focus.body) { found.push(`the focus is lost after ${step} tabs`); break; }
    if (!focus.is) found.push(`the focus is not seen at ${focus.name}`);
  }
  const chart = page.locator("svg[data-zoom]").first();
  if (await chart.count()) {
    await chart.focus();
    await page.keyboard.press("ArrowRight");
    const text = await page.locator("#status").textContent();
    if (!text || !await page.locator("#status").isVisible()) found.push("a chart does not answer to the arrow keys");
    await page.keyboard.press("Escape");
  }
  await page.locator("nav a[href='#glossary']").click();
  if (!await page.locator("#glossary > details").evaluate((fold) => fold.open)) {
    found.push("a link does not open the fold it leads into");
  }
  await page.waitForFunction(() => document.querySelector("nav a[aria-current]")?.hash === "#glossary", null, { timeout: 20000 })
    .catch(() => found.push("the contents do not follow the page"));
  await page.evaluate(() => { location.hash = ""; document.activeElement.blur(); });
  return found;
}

/// On paper everything is unfolded, and no heading is left at the foot of a page: the outline of the PDF has the place of each.
async function printed(page, name) {
  const found = [];
  await unfold(page, false);
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  const folded = await page.evaluate(() =>
    [...document.querySelectorAll("details table")].filter((table) => table.getBoundingClientRect().height === 0).length);
  if (folded > 0) found.push(`${folded} tables are still folded`);
  found.push(...await page.evaluate(contrast));
  const pdf = await page.pdf({ format: "A4", outline: true, tagged: true });
  if (shots) writeFileSync(join(shots, file(`${name}.pdf`)), pdf);
  const places = pdf.toString("latin1").matchAll(/\/Dest\s*\[\s*\d+ 0 R\s*\/XYZ\s+[\d.]+\s+([\d.]+)/g);
  const heights = [...places].map((match) => Number(match[1]));
  if (heights.length < 5) found.push(`only ${heights.length} headings are in its outline`);
  const low = heights.filter((height) => height < FOOT + BELOW_HEADING);
  if (low.length > 0) found.push(`${low.length} headings end a page`);
  return found;
}

function file(name) {
  return name.replace(/[^\w.-]+/g, "-");
}
