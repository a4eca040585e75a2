// SPDX-License-Identifier: Apache-2.0
// The pictures of docs/dashboard.md, made anew: some groups at work, and the page in Debian's Chromium.
//   node scripts/dashboard-images.js (root, after npm run build)
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chromium } from 'playwright-core'
import { Cgroup } from '../dist/index.js'

const megabytes = 1024 * 1024
/** Group: memory that it holds, its share of a CPU, limits. */
const groups = {
  'web/front': { hold: 90, busy: 0.1, files: { 'memory.max': 256 * megabytes, 'pids.max': 64 } },
  'web/api': {
    hold: 210,
    busy: 0.6,
    files: { 'memory.max': 256 * megabytes, 'pids.max': 100, 'cpu.max': { quota: 40_000, period: 100_000 } },
  },
  database: { hold: 330, busy: 0.05, files: { 'memory.max': 512 * megabytes } },
  'jobs/mail': { hold: 40, busy: 0.02, files: { 'pids.max': 20 } },
  'jobs/report': { hold: 120, busy: 0.15, files: {} },
  'jobs/thumbnails': { hold: 70, busy: 0.1, files: { 'memory.max': 96 * megabytes } },
}
const program = (hold, busy) => `
  const kept = Buffer.alloc(${hold} * 1048576, 1)
  setInterval(() => { const end = Date.now() + 100 * ${busy} * (0.5 + Math.random()); while (Date.now() < end) kept[0]++ }, 100)`

const children = []
const run = (path, ...command) =>
  children.push(
    spawn(process.execPath, ['dist/cli.cjs', 'cgroup', 'exec', path, '--', ...command], { stdio: 'ignore' }),
  )
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const shop = await Cgroup.create('/shop')
const server = spawn(process.execPath, ['dist/cli.cjs', 'dashboard', '--listen', '127.0.0.1:0', '--allow-changes'], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
let browser
try {
  const [line] = await once(server.stdout, 'data')
  const url = String(line).trim()
  for (const [name, { hold, busy, files }] of Object.entries(groups)) {
    await Cgroup.create(`/shop/${name}`, { files })
    run(`/shop/${name}`, process.execPath, '-e', program(hold, busy))
  }
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
  const warm = await browser.newPage()
  await warm.goto(url)
  await pause(40_000)
  run('/shop/web/api', 'sh', '-c', 'echo 1000 > /proc/self/oom_score_adj; exec tail /dev/zero')
  await pause(20_000)
  for (const [name, colorScheme, width, height] of [
    ['light', 'light', 1360, 900],
    ['dark', 'dark', 1360, 900],
    ['phone', 'light', 390, 844],
  ]) {
    const page = await browser.newPage({ colorScheme, viewport: { width, height } })
    await page.goto(url)
    await page.locator('#filter').fill('/shop/')
    await page.locator('#list tr[data-path="/shop/web/api"] button').click()
    await page.locator('.tile[data-path="/shop"]').focus()
    await page.keyboard.press('+')
    await page.locator('.tile[data-path="/shop/web/api"]').focus()
    await page.evaluate('document.activeElement.blur()')
    await pause(2500)
    await page.screenshot({ path: `docs/images/dashboard-${name}.png` })
  }
} finally {
  await browser?.close()
  server.kill('SIGTERM')
  await shop.remove({ recursive: true, kill: true })
  for (const child of children) child.kill('SIGKILL')
}
process.exit(0)
