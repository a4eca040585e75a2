// SPDX-License-Identifier: Apache-2.0
// The page in a real Chromium: what a person sees and does, and that nothing goes wrong in the console.
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Cgroup, HutchError } from '../../src/index.ts'
import { watchTimer } from '../support/late.ts'
import { requires } from '../support/requires.ts'
import { runInGroup, type Served, serve } from './served.ts'

beforeEach((context) => requires(context, 'hutch for Node'))

const top = `/hutch-test-${process.pid}`
const executablePath = '/usr/bin/chromium'
let browser: Browser | undefined
const ends: (() => unknown)[] = []
const complaints: string[] = []

beforeAll(async () => {
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] }).catch(() => undefined)
})

afterAll(() => browser?.close())

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  try {
    await Cgroup.open(top).remove({ recursive: true, kill: true })
  } catch (error) {
    if (!HutchError.is(error) || error.code !== 'CGROUP_NOT_FOUND') throw error
  }
  expect(complaints.splice(0)).toEqual([])
})

async function start(...flags: string[]): Promise<Served> {
  const served = await serve(...flags)
  ends.push(() => served.stop())
  return served
}

async function open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser!.newContext({ viewport: { width: 1400, height: 900 }, ...options })
  ends.push(() => context.close())
  const page = await context.newPage()
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) complaints.push(`it asks another host: ${request.url()}`)
  })
  await page.goto(url)
  return page
}

const runIn = async (path: string, ...command: string[]) => runInGroup(ends, path, command)

/** What a process runs, if it is still there. */
function commOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return undefined
  }
}

const select = (page: Page, path: string) => page.locator(`#list tr[data-path="${path}"] button`).click()
const figure = (page: Page, name: string) => page.locator('#figures div', { hasText: name }).locator('span')

test('a hog shows up, its figures move, and its kill is marked within a second', async (context) => {
  requires(context, 'chromium', 'not a VM')
  await Cgroup.create(`${top}/hog`, { files: { 'memory.max': '128M', 'cpu.max': { quota: 50_000, period: 100_000 } } })
  const page = await open((await start()).url)
  await page.locator('#live.on').waitFor()
  expect(new URL(page.url()).hash).toBe('')
  const directory = mkdtempSync(`${tmpdir()}/hutch-page-`)
  ends.push(() => rmSync(directory, { recursive: true }))
  const child = await runIn(
    `${top}/hog`,
    'sh',
    '-c',
    `${process.execPath} -e 'const kept = Buffer.alloc(40e6, 1); while (!fs.existsSync("${directory}/go")) kept[0]++'; exec tail /dev/zero`,
  )
  const ended = once(child, 'exit').then(() => Date.now())
  // its own look, since what is asked in between takes its time
  const marked = page.evaluate(`new Promise((resolve) => {
    const look = () => document.querySelector('#events li.oom')?.textContent.includes('${top}/hog') && resolve(Date.now())
    new MutationObserver(look).observe(document.querySelector('#events'), { childList: true, subtree: true, characterData: true })
  })`)
  await select(page, `${top}/hog`)
  await expect
    .poll(() => figure(page, 'Memory').first().textContent(), { timeout: 20_000 })
    .toMatch(/^[3-9]\d\.\d MiB$/)
  await expect.poll(() => figure(page, 'CPU').textContent(), { timeout: 20_000 }).toMatch(/^0\.[1-6]\d$/)
  expect(await page.locator('#figures div', { hasText: 'CPU' }).textContent()).toContain('of 0.50')
  await expect.poll(() => page.locator('#processes td', { hasText: 'sh -c' }).count()).toBeGreaterThan(0)
  await page.locator('#measure label', { hasText: 'CPU' }).click()
  const tile = page.locator(`.tile[data-path="${top}/hog"]`)
  expect(await tile.getAttribute('aria-label')).toContain('of its limit')
  const stop = watchTimer()
  writeFileSync(`${directory}/go`, '')
  await page.locator('#events li.oom', { hasText: `${top}/hog` }).waitFor({ timeout: 20_000 })
  // and what a busy machine is late, here, there and in the browser
  expect(((await marked) as number) - (await ended)).toBeLessThan(1000 + 10 * stop())
  // the mark is in the chart, too: its colour is nowhere else there
  const red = () =>
    page.evaluate(`(() => {
    const canvas = document.querySelectorAll('#charts canvas')[1]
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    let count = 0
    for (let i = 0; i < data.length; i += 4) if (data[i] > 150 && data[i + 1] < 80 && data[i + 2] < 80 && data[i + 3] > 200) count++
    return count
  })()`)
  await expect.poll(red, { timeout: 10_000 }).toBeGreaterThan(50)
})

test('a limit is set after a second question, by keyboard alone, and reaches the kernel', async (context) => {
  requires(context, 'chromium', 'not a VM')
  const group = await Cgroup.create(top, { files: { 'pids.max': 50 } })
  await runIn(top, 'sleep', '60')
  const page = await open((await start('--allow-changes')).url)
  await select(page, top)
  const input = page.locator('input[name="pids.max"]')
  await input.focus()
  await page.keyboard.type('70')
  await page.keyboard.press('Enter')
  const dialog = page.locator('dialog[open]')
  expect(await dialog.textContent()).toContain(`The limit of ${top} is now 50.`)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  expect(group.get('pids.max')).toBe(50)
  await input.press('Enter')
  // Cancel has the focus first
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.locator('#said', { hasText: `pids.max of ${top} is 70` }).waitFor()
  expect(group.get('pids.max')).toBe(70)
  await expect.poll(() => page.locator('#limits output').last().textContent()).toBe('70')
  await page.locator('input[name="pids.max"]').fill('-5')
  await page.getByRole('button', { name: 'Set pids.max' }).click()
  await dialog.getByRole('button', { name: 'Set' }).click()
  await page.locator('#said.bad', { hasText: 'remedy' }).waitFor()
  expect(group.get('pids.max')).toBe(70)
  // the browser itself tells of the answer 409
  expect(complaints.splice(0)).toEqual([expect.stringMatching(/status of 409/)])
})

test('without the token nothing is shown, and without --allow-changes nothing can be changed', async (context) => {
  requires(context, 'chromium', 'not a VM')
  const served = await start()
  const page = await open(`http://127.0.0.1:${served.port}/#token=${'A'.repeat(43)}`)
  await page.locator('#live.off', { hasText: 'the token is wrong' }).waitFor()
  expect(await page.locator('#list tbody tr').count()).toBe(0)
  const bare = await open(`http://127.0.0.1:${served.port}/`)
  await bare.locator('#live.off', { hasText: 'open the URL that hutch dashboard printed' }).waitFor()
  const allowed = await open(served.url)
  await allowed.locator('#live.on').waitFor()
  expect(await allowed.locator('#limits input, #actions button').count()).toBe(0)
  // the cookie is there for the next page
  await allowed.goto(`http://127.0.0.1:${served.port}/`)
  await allowed.locator('#live.on').waitFor()
  // of what was refused above, and of the stream that ended with its page, the browser itself tells
  const told = complaints.splice(0)
  expect(told.length).toBeGreaterThan(0)
  expect(told.filter((text) => !/status of 401|Failed to load resource: net::/.test(text))).toEqual([])
})

test('a page outlives its group and its server, and takes the URL that is printed next', async (context) => {
  requires(context, 'chromium', 'not a VM')
  const group = await Cgroup.create(top, { files: { 'pids.max': 50 } })
  await runIn(top, 'sleep', '60')
  const first = await start('--allow-changes')
  // what is no path is the root
  const page = await open(`http://127.0.0.1:${first.port}/#/%`)
  await page.locator('#live.off', { hasText: 'open the URL that hutch dashboard printed' }).waitFor()
  expect(complaints.splice(0).filter((text) => !text.includes('status of 401'))).toEqual([])
  await page.goto(first.url)
  await page.locator('#live.on').waitFor()
  // no other path, and so no other server of this host, gets the cookie
  expect((await page.context().cookies()).map(({ path }) => path)).toEqual([expect.stringMatching(/^\/[\w-]{43}$/)])
  expect(await page.context().cookies('http://127.0.0.1:1/')).toEqual([])
  await select(page, top)
  const input = page.locator('input[name="pids.max"]')
  await input.fill('7')
  await group.remove({ kill: true })
  await page.locator('#group-title', { hasText: '(gone)' }).waitFor()
  await input.waitFor({ state: 'hidden' })
  expect(await page.locator('#processes tbody tr').count()).toBe(0)
  // the browser itself tells of a group that was removed before the page asked for its processes
  expect(complaints.splice(0).filter((text) => !text.includes('status of 404'))).toEqual([])
  await first.stop()
  await page.locator('#live.off').waitFor()
  const second = await serve('--allow-changes', '--listen', `127.0.0.1:${first.port}`)
  ends.push(() => second.stop())
  await page.goto(second.url)
  await page.locator('#live.on').waitFor()
  expect(await page.locator('#group-title').textContent()).toBe(`${top} (gone)`)
  await page.context().close()
  // the browser itself tells of a stream that ended, a server that was not there, and an old cookie
  expect(complaints.splice(0).filter((text) => !/Failed to load resource: /.test(text))).toEqual([])
})

test('names of groups and processes are text, whatever is in them', async (context) => {
  requires(context, 'chromium', 'not a VM')
  const evil = `${top}/<img src=x onerror=alert(1)>\u202e"'&`
  await Cgroup.create(evil)
  await runIn(evil, 'sh', '-c', 'sleep 60 # <script>alert(2)</script>')
  const page = await open((await start()).url)
  await page.locator('#list button', { hasText: '<img src=x' }).click()
  expect(await page.locator('#group-title').textContent()).toBe(evil.replace('\u202e', '\\u202e'))
  await page.locator('#processes td', { hasText: '<script>alert(2)</script>' }).waitFor()
  expect(await page.locator('main img, main script').count()).toBe(0)
})

test('arrow keys walk the map', async (context) => {
  requires(context, 'chromium', 'not a VM')
  for (const name of ['a', 'b']) {
    await Cgroup.create(`${top}/${name}`)
    await runIn(`${top}/${name}`, 'sh', '-c', 'x=$(head -c 90000000 /dev/zero | tr "\\0" x); sleep 60')
    // all of it is there, and the map stands still, once the shell has come to its end
    const programs = () =>
      Cgroup.open(`${top}/${name}`)
        .processes()
        .map((pid) => commOf(pid))
    await expect.poll(programs, { timeout: 30_000 }).toEqual(expect.arrayContaining(['sh', 'sleep']))
  }
  const page = await open(`${(await start()).url}`)
  const focused = () => page.evaluate('document.activeElement.dataset.path')
  await page.locator(`.tile[data-path="${top}"]`).focus()
  await page.keyboard.press('+')
  await page.locator('#crumbs button', { hasText: top.slice(1) }).waitFor()
  await page.locator(`.tile[data-path="${top}/b"]`).waitFor()
  await page.keyboard.press('ArrowDown')
  const first = await focused()
  expect(first).toMatch(/\/[ab]$/)
  await page.keyboard.press('ArrowRight')
  expect(await focused()).toBe(first === `${top}/a` ? `${top}/b` : `${top}/a`)
  await page.keyboard.press('Enter')
  expect(await page.locator('#group-title').textContent()).toBe(await focused())
  await page.keyboard.press('ArrowUp')
  expect(await focused()).toBe(top)
  await page.keyboard.press('-')
  await page.locator('#crumbs button').first().waitFor({ state: 'detached' })
})

test.for<[string, BrowserContextOptions]>([
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['a phone', { colorScheme: 'light', viewport: { width: 390, height: 844 } }],
])('axe finds nothing wrong: %s', async ([, options], context) => {
  requires(context, 'chromium', 'not a VM')
  await Cgroup.create(top, { files: { 'memory.max': '64M' } })
  await runIn(top, 'sh', '-c', 'exec tail /dev/zero')
  const page = await open((await start('--allow-changes')).url, options)
  await page.locator('#live.on').waitFor()
  await page.locator('#list tbody tr').first().locator('button').click()
  await page.locator('#limits input').first().waitFor()
  const violations = async () => {
    await page.evaluate(readFileSync('node_modules/axe-core/axe.min.js', 'utf8'))
    return page.evaluate(`axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))`)
  }
  expect(await violations()).toEqual([])
  // nothing sticks out sideways
  expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
  await page.locator('#actions button').first().click()
  await page.locator('dialog[open]').waitFor()
  expect(await violations()).toEqual([])
})
