// Opens HTML reports in a browser without a screen and says what is wrong with them: `node page.mjs [--shots DIR] FILE...`.
// Light and dark, wide and as narrow as a phone, as it opens and with everything unfolded. Ends with 1 if a page asks for
// anything beside itself, is wider than its window, or has a barrier that axe calls serious.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SERIOUS = ['serious', 'critical'];
const LOOKS = ['light', 'dark'].flatMap((colorScheme) =>
  [1280, 390].map((width) => ({ colorScheme, viewport: { width, height: 900 } })));

const args = process.argv.slice(2);
const shots = args[0] === '--shots' ? args.splice(0, 2)[1] : undefined;
const wrong = [];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
for (const file of args) {
  for (const look of LOOKS) await inspect(file, look);
}
await browser.close();
for (const line of wrong) console.log(line);
console.log(`${args.length} pages, ${wrong.length} faults`);
process.exit(wrong.length > 0 || args.length === 0 ? 1 : 0);

async function inspect(file, look) {
  const url = pathToFileURL(file).href;
  const name = `${basename(file)} ${look.colorScheme} ${look.viewport.width}`;
  const context = await browser.newContext(look);
  const page = await context.newPage();
  page.on('request', (request) => request.url() === url || wrong.push(`${name}: asks for ${request.url()}`));
  page.on('console', (message) => wrong.push(`${name}: says ${message.text()}`));
  await page.goto(url);
  if (shots) await page.screenshot({ path: `${shots}/${name.replaceAll(' ', '-')}.png`, fullPage: true });
  // By the debugger: the page's own policy lets no script in.
  await page.evaluate(AXE);
  await barriers(page, name);
  await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
  await barriers(page, `${name} unfolded`);
  await context.close();
}

async function barriers(page, name) {
  const { violations } = await page.evaluate(() => axe.run());
  for (const { id, impact, help, nodes } of violations.filter(({ impact }) => SERIOUS.includes(impact))) {
    wrong.push(`${name}: ${impact}: ${id}: ${help}: ${nodes.length} times, first ${nodes[0].html.slice(0, 200)}`);
  }
  const [wide, window] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
  if (wide > window) wrong.push(`${name}: ${wide} wide in a window of ${window}`);
}
