// SPDX-License-Identifier: Apache-2.0
// hutch dashboard without a browser: who is let in, what is streamed, what can be changed.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Cgroup, HutchError } from '../../src/index.ts'
import type { GroupRow, Mark, Past, Processes, Session } from '../../src/ui/dashboard/api-types.ts'
import { hutch } from '../cli/hutch.ts'
import { watchTimer } from '../support/late.ts'
import { requires } from '../support/requires.ts'
import { listen, runInGroup, type Served, send, serve, type Told } from './served.ts'

beforeEach((context) => requires(context, 'hutch for Node'))

const top = `/hutch-test-${process.pid}`
const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  try {
    await Cgroup.open(top).remove({ recursive: true, kill: true })
  } catch (error) {
    if (!HutchError.is(error) || error.code !== 'CGROUP_NOT_FOUND') throw error
  }
})

async function start(...flags: string[]): Promise<Served> {
  const served = await serve(...flags)
  ends.push(() => served.stop())
  return served
}

async function stream(served: Served) {
  const opened = await listen(served)
  ends.push(() => opened.close())
  return opened
}

const runIn = async (path: string, ...command: string[]) => runInGroup(ends, path, command)

const bearer = (served: Served) => ({ authorization: `Bearer ${served.token}` })
const change = (served: Served, wish: object, headers: { [name: string]: string } = bearer(served)) =>
  send(served, '/change', { method: 'POST', headers, body: JSON.stringify(wish) })

test('the page itself holds no secret and nothing from elsewhere; all else needs the token', async () => {
  const served = await start()
  expect(served.token).toMatch(/^[\w-]{43}$/)
  const page = await send(served, '/')
  expect(page.status).toBe(200)
  expect(page.headers['content-security-policy']).toMatch(
    /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/,
  )
  expect(page.headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-store',
  })
  const [css, js] = await Promise.all(['/page.css', '/page.js'].map((path) => send(served, path)))
  expect([css!.headers['content-type'], js!.headers['content-type']]).toEqual([
    'text/css; charset=utf-8',
    'text/javascript; charset=utf-8',
  ])
  for (const { text } of [page, css!, js!]) {
    expect(text).not.toMatch(/(src|href)="?https?:|url\(|@import|innerHTML|\beval\(/)
    expect(text).not.toContain(served.token)
  }
  const wrong = served.token.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
  for (const path of ['/events', '/history?group=/', '/processes?group=/', '/nothing'])
    for (const headers of [{}, { authorization: `Bearer ${wrong}` }, { authorization: 'Bearer' }, { cookie: 'a=b' }])
      expect([path, (await send(served, path, { headers: headers as { [name: string]: string } })).status]).toEqual([
        path,
        401,
      ])
  expect((await send(served, `/history?group=/&token=${served.token}`)).status).toBe(401)
  expect((await send(served, '/history?group=/', { headers: bearer(served) })).status).toBe(200)
  expect((await send(served, '/nothing', { headers: bearer(served) })).status).toBe(404)
  expect((await send(served, '/', { method: 'PUT' })).status).toBe(405)
  for (const path of ['//', 'http://[', '/page.js/..', '/../../etc/passwd'])
    expect([path, (await send(served, path, { headers: bearer(served) })).status]).toEqual([path, 404])
})

test('a name that was made to point here, and the pages of others, are refused, whoever has the token', async () => {
  const served = await start()
  const here = `127.0.0.1:${served.port}`
  const status = async (headers: { [name: string]: string }, method = 'GET') =>
    (await send(served, method === 'GET' ? '/' : '/session', { method, headers: { ...bearer(served), ...headers } }))
      .status
  for (const host of [here, `localhost:${served.port}`, 'localhost:8080', `[::1]:${served.port}`])
    expect([host, await status({ host })]).toEqual([host, 200])
  for (const host of ['evil.example', `evil.example:${served.port}`, '127.0.0.1.evil.example', 'localhost.', '::1'])
    expect([host, await status({ host })]).toEqual([host, 403])
  expect(await status({ host: here, origin: `http://${here}` })).toBe(200)
  for (const origin of ['http://evil.example', `http://127.0.0.1:${served.port + 1}`, `https://${here}`, 'null'])
    expect([origin, await status({ host: here, origin })]).toEqual([origin, 403])
  for (const site of ['cross-site', 'same-site'])
    expect([site, await status({ host: here, 'sec-fetch-site': site })]).toEqual([site, 403])
  expect(await status({ host: here, 'sec-fetch-site': 'same-origin' })).toBe(200)
  // a link to the page may be followed from anywhere, and it cannot be framed
  const opened = { host: here, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
  expect(await status({ ...opened, 'sec-fetch-dest': 'document' })).toBe(200)
  expect(await status({ ...opened, 'sec-fetch-dest': 'iframe' })).toBe(403)
  expect(await status({ ...opened, 'sec-fetch-dest': 'document' }, 'POST')).toBe(403)
  const events = { headers: { ...bearer(served), ...opened, 'sec-fetch-dest': 'document' } }
  expect((await send(served, '/events', events)).status).toBe(403)
})

test('the token is exchanged for a cookie that scripts and other sites do not get', async () => {
  const served = await start('--allow-changes')
  const origin = `http://127.0.0.1:${served.port}`
  const login = (token: unknown, headers: object = { origin }) =>
    send(served, '/session', { method: 'POST', headers: { ...headers }, body: JSON.stringify({ token }) })
  for (const token of ['', 'x', 5, null, `${served.token}x`]) expect((await login(token)).status).toBe(401)
  expect((await login(served.token, {})).status).toBe(403)
  const { status, headers, text } = await login(served.token)
  expect(status).toBe(200)
  const [set] = headers['set-cookie']!
  // a cookie is sent to all ports of a host: to none but this path, which no other server is asked for
  const { base } = JSON.parse(text) as Session
  expect(base).toMatch(/^\/[\w-]{43}$/)
  expect(set).toMatch(/^hutch-dashboard-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/[\w-]{43}$/)
  expect(set).toContain(`Path=${base}`)
  expect(set).not.toContain(served.token)
  const cookie = set!.split(';')[0]!
  expect((await send(served, `${base}/history?group=/`, { headers: { cookie } })).status).toBe(200)
  expect((await send(served, `${base}/history?group=/`)).status).toBe(401)
  expect((await send(served, '/history?group=/', { headers: { cookie: `${cookie}x` } })).status).toBe(401)
  // a form of another site brings the cookie, perhaps, but not the right origin
  const wish = { action: 'limit', group: top, file: 'pids.max', value: '5' }
  expect((await change(served, wish, { cookie })).status).toBe(403)
  expect((await change(served, wish, { cookie, origin: 'http://evil.example' })).status).toBe(403)
  expect((await change(served, wish, { cookie, origin })).status).toBe(409)
})

test('the stream begins with all groups, then tells what changes and what goes', async () => {
  const group = await Cgroup.create(top, { files: { 'pids.max': 42, 'memory.max': '64M' } })
  const served = await start()
  const opened = await stream(served)
  const first = await opened.next()
  expect(first.event).toBe('all')
  if (first.event !== 'all') return
  expect(first.data.allowChanges).toBe(false)
  expect(first.data.rows[top]).toMatchObject({ pidsMax: 42, memoryMax: 67_108_864, pids: 0, populated: false })
  expect(first.data.rows['/']).toBeDefined()
  await runIn(top, 'sh', '-c', 'while :; do :; done')
  const busy = await until(opened, ({ data }) => ((data.rows[top] as GroupRow | undefined)?.cpus ?? 0) > 0.05)
  expect(busy.event).toBe('change')
  const found = await send(served, `/processes?group=${top}`, { headers: bearer(served) })
  const { processes } = JSON.parse(found.text) as Processes
  expect(processes).toMatchObject([{ group: top, command: 'sh -c while :; do :; done', state: 'R' }])
  for (let isBusy = false; !isBusy; await opened.next()) {
    const { text } = await send(served, `/history?group=${top}`, { headers: bearer(served) })
    const { times, tracks } = JSON.parse(text) as Past
    for (const track of Object.values(tracks)) expect(track.length).toBe(times.length)
    expect(tracks.pidsMax.at(-1)).toBe(42)
    isBusy = tracks.cpus.some((value) => value !== null && value > 0.05)
  }
  await group.remove({ kill: true })
  await until(opened, (told) => told.event === 'change' && told.data.gone.includes(top))
  expect((await send(served, `/history?group=${top}`, { headers: bearer(served) })).status).toBe(404)
})

test('a kill for memory is told within a second, and once', async () => {
  await Cgroup.create(top, { files: { 'memory.max': '24M' } })
  const served = await start()
  const opened = await stream(served)
  const child = await runIn(top, 'sh', '-c', 'sleep 2; exec tail /dev/zero')
  const begun = Date.now()
  const stop = watchTimer()
  const ended = once(child, 'exit').then(() => Date.now())
  const isOurs = ({ kind, group }: Mark) => kind === 'oom' && group === top
  const told = await until(opened, ({ data }) => data.marks.some(isOurs))
  const seen = Date.now()
  expect(told.data.marks.find(isOurs)).toMatchObject({ count: 1 })
  expect(begun).toBeLessThan(await ended)
  // the command ends when it was killed
  // and what a busy machine is late, here and there
  expect(seen - (await ended)).toBeLessThan((process.env.VM ? 5000 : 1000) + 10 * stop())
  // another of that name begins anew
  await Cgroup.open(top).remove({ recursive: true, kill: true })
  await Cgroup.create(top, { files: { 'memory.max': '24M' } })
  await runIn(top, 'sh', '-c', 'sleep 1; exec tail /dev/zero')
  expect((await until(opened, ({ data }) => data.marks.some(isOurs))).data.marks.find(isOurs)).toMatchObject({
    count: 1,
  })
  const later = await (await stream(served)).next()
  expect(later.data.marks.filter(isOurs)).toHaveLength(2)
})

test('refused forks and the start of throttling are told', async () => {
  await Cgroup.create(top, { files: { 'pids.max': 2, 'cpu.max': { quota: 10_000, period: 100_000 } } })
  const served = await start()
  const opened = await stream(served)
  await runIn(top, 'sh', '-c', 'while :; do (sleep 0 & sleep 0 & wait) 2>/dev/null; done')
  const kinds = new Set<string>()
  while (kinds.size < 2)
    for (const { kind, group } of (await opened.next()).data.marks) if (group === top) kinds.add(kind)
  expect([...kinds].sort()).toEqual(['refused', 'throttled'])
})

test('it only shows, unless changes are allowed', async () => {
  const group = await Cgroup.create(top, { files: { 'pids.max': 5 } })
  const served = await start()
  for (const wish of [
    { action: 'limit', group: top, file: 'pids.max', value: '6' },
    { action: 'kill', group: top },
  ]) {
    const { status, text } = await change(served, wish)
    expect([status, text]).toEqual([403, expect.stringContaining('--allow-changes')])
  }
  expect(group.get('pids.max')).toBe(5)
})

test('a limit reaches the kernel file; what makes no sense changes nothing and says why', async () => {
  const group = await Cgroup.create(top, { files: { 'pids.max': 5 } })
  const served = await start('--allow-changes')
  const opened = await stream(served)
  const limit = (file: string, value: string, path = top) =>
    change(served, { action: 'limit', group: path, file, value })
  expect((await limit('pids.max', '7')).status).toBe(200)
  expect(group.get('pids.max')).toBe(7)
  await until(opened, ({ data }) => data.rows[top]?.pidsMax === 7)
  expect((await limit('memory.max', '48M')).status).toBe(200)
  expect(group.get('memory.max')).toBe(48 * 1024 * 1024)
  expect((await limit('cpu.max', '0.5')).status).toBe(200)
  expect(group.get('cpu.max')).toEqual({ quota: 50_000, period: 100_000 })
  for (const [file, value] of [
    ['pids.max', '-1'],
    ['pids.max', '8\n9'],
    ['memory.max', 'plenty'],
    ['cpu.max', '1e99'],
  ] as const) {
    const { status, text } = await limit(file, value)
    expect([file, value, status]).toEqual([file, value, 409])
    expect(JSON.parse(text).said).toContain('remedy: ')
  }
  for (const [file, path] of [
    ['cgroup.procs', top],
    ['../../x', top],
    ['notify_on_release', top],
    ['toString', top],
    ['pids.max', 'relative'],
  ] as const)
    expect([file, (await limit(file, '1', path)).status]).toEqual([file, 400])
  for (const path of [`${top}/../../..`, '/..', `${top}/nothing`, `${top}\0`])
    expect([path, (await limit('pids.max', '1', path)).status]).toEqual([path, 409])
  expect(group.get('pids.max')).toBe(7)
  const long = await send(served, '/change', {
    method: 'POST',
    headers: bearer(served),
    body: JSON.stringify({ action: 'limit', group: top, file: 'pids.max', value: '9', more: 'x'.repeat(10_000) }),
  }).catch(() => undefined)
  expect(long?.status ?? 400).toBe(400)
  expect(group.get('pids.max')).toBe(7)
})

test('a group is frozen, thawed and killed; the one that the dashboard is in is not', async () => {
  await Cgroup.create(top)
  const child = await runIn(top, 'sleep', '60')
  const served = await start('--allow-changes')
  const opened = await stream(served)
  await until(opened, ({ data }) => data.rows[top]?.populated === true)
  expect((await change(served, { action: 'freeze', group: top })).status).toBe(200)
  await until(opened, ({ data }) => data.rows[top]?.frozen === true)
  expect((await change(served, { action: 'thaw', group: top })).status).toBe(200)
  const ended = once(child, 'exit')
  expect((await change(served, { action: 'kill', group: top })).status).toBe(200)
  await ended
  for (const action of ['kill', 'freeze']) expect((await change(served, { action, group: '/' })).status).toBe(409)
  expect(served.child.exitCode).toBe(null)
})

test('sixteen streams may be open, and one that ends makes room', async () => {
  const served = await start()
  const slow = connect(served.port, '127.0.0.1')
  ends.push(() => slow.destroy())
  slow.pause()
  slow.write(`GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${served.token}\r\n\r\n`)
  const streams = []
  for (let i = 0; i < 15; i++) streams.push(await stream(served))
  await Promise.all(streams.map((one) => one.next()))
  expect((await send(served, '/events', { headers: bearer(served) })).status).toBe(503)
  streams[0]!.close()
  let another = await stream(served)
  // the server hears of the end a little later
  while (another.status === 503) {
    await pause(50)
    another = await stream(served)
  }
  expect((await another.next()).event).toBe('all')
})

test('a port that is taken, an address that is none, and a word too many are said', async () => {
  const served = await start()
  const taken = await hutch(['dashboard', '--listen', `127.0.0.1:${served.port}`])
  expect([taken.status, taken.stderr]).toEqual([125, expect.stringContaining('EADDRINUSE')])
  for (const args of [['--listen', '7070'], ['--listen', '127.0.0.1'], ['word'], ['--allow']])
    expect([args, (await hutch(['dashboard', ...args])).status]).toEqual([args, 125])
  served.child.kill('SIGTERM')
  expect(await once(served.child, 'exit')).toEqual([0, null])
})

async function until(opened: { next(): Promise<Told> }, holds: (told: Told) => boolean): Promise<Told> {
  for (;;) {
    const told = await opened.next()
    if (holds(told)) return told
  }
}
