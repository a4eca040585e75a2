// SPDX-License-Identifier: Apache-2.0
// hutch metrics, scraped by a real Prometheus, and pushed to a receiver of OTLP/HTTP.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Cgroup, HutchError } from '../../src/index.ts'
import { cli } from '../support/command.ts'
import { requires } from '../support/requires.ts'
import { hutch } from './hutch.ts'

beforeEach((context) => requires(context, 'hutch for Node'))

const top = `/hutch-test-${process.pid}`
const started: ChildProcess[] = []

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  try {
    await Cgroup.open(top).remove({ recursive: true, kill: true })
  } catch (error) {
    if (!HutchError.is(error) || error.code !== 'CGROUP_NOT_FOUND') throw error
  }
})

/** hutch metrics on a free port: its address once it listens. */
function serve(...args: string[]) {
  return serveIn({ OTEL_EXPORTER_OTLP_HEADERS: 'key=a%20b' }, ...args)
}

async function serveIn(env: NodeJS.ProcessEnv, ...args: string[]) {
  const child = spawn(process.execPath, [cli, 'metrics', '--listen', '127.0.0.1:0', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  })
  started.push(child)
  let text = ''
  child.stderr!.on('data', (data) => {
    text += data
  })
  for (;;) {
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0]
    if (url) return { url, child: child as ChildProcess, said: () => text }
    await once(child.stderr!, 'data')
  }
}

/** The value of a metric of our group. */
function figureOf(text: string, name: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${name}{id="${top}"`))
  return Number(line?.split(' ').at(-1))
}

test('promtool finds nothing wrong, whatever a group is called', async (context) => {
  requires(context, 'Prometheus', 'not a VM')
  await Cgroup.create(`${top}/a "b" \\ c`, { files: { 'pids.max': 7 } })
  const { status, stdout, stderr } = await hutch(['metrics', '--once'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toContain(`container_threads_max{id="${top}/a \\"b\\" \\\\ c"} 7\n`)
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: stdout, encoding: 'utf8' })
  // its lint wants units in the names that are cAdvisor's, and counts that are no counters named otherwise
  expect({ status: checked.status, said: checked.stderr }).toMatchInlineSnapshot(`
    {
      "said": "",
      "status": 0,
    }
  `)
  const broken = spawnSync('promtool', ['check', 'metrics'], { input: `${stdout}evil{id="} 1\n`, encoding: 'utf8' })
  expect(broken.status).not.toBe(0)
})

test('a Prometheus that scrapes it knows the groups', async (context) => {
  requires(context, 'Prometheus', 'not a VM')
  await Cgroup.create(top, { files: { 'pids.max': 42, 'memory.max': '64M' } })
  await Cgroup.create(`${top}/docker-${'c1d2'.repeat(16)}.scope`, { files: { 'pids.max': 43 } })
  const { url } = await serve()
  const directory = mkdtempSync(`${tmpdir()}/hutch-prometheus-`)
  try {
    const target = url.slice('http://'.length)
    writeFileSync(
      `${directory}/prometheus.yml`,
      `scrape_configs:\n- job_name: hutch\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['${target}']\n`,
    )
    const child = spawn(
      'prometheus',
      [
        `--config.file=${directory}/prometheus.yml`,
        `--storage.tsdb.path=${directory}/data`,
        '--web.listen-address=127.0.0.1:0',
        '--log.level=info',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    started.push(child)
    let log = ''
    child.stderr!.on('data', (data) => {
      log += data
    })
    const own = async () => {
      for (;;) {
        const address = /address=(127\.0\.0\.1:[1-9]\d*)/.exec(log)?.[1]
        if (address) return address
        await once(child.stderr!, 'data')
      }
    }
    const ask = async (query: string) => {
      const response = await fetch(`http://${await own()}/api/v1/query?query=${encodeURIComponent(query)}`)
      const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } }
      return data.result[0]?.value[1]
    }
    const until = async (query: string) => {
      for (;;) {
        const answer = await ask(query)
        if (answer !== undefined) return answer
        await pause(300)
      }
    }
    expect(await until(`container_threads_max{id="${top}"}`)).toBe('42')
    expect(await ask(`container_spec_memory_limit_bytes{id="${top}"}`)).toBe('67108864')
    expect(await ask('up{job="hutch"}')).toBe('1')
    // as dashboards for cAdvisor ask
    expect(await ask('sum(container_threads_max{name=~"c1d2.+"}) by (name)')).toBe('43')
    expect(Number(await ask(`time() - container_start_time_seconds{id="${top}"}`))).toBeLessThan(60)
    expect(Number(await ask('sum(container_memory_usage_bytes{id="/"}) / sum(machine_memory_bytes)'))).toBeLessThan(1)
  } finally {
    for (const child of started) child.kill('SIGTERM')
    await Promise.all(started.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit')))
    rmSync(directory, { recursive: true })
  }
})

test('it answers GET and HEAD at /metrics, in the format that is asked for, on the loopback alone', async () => {
  const { url, child } = await serve()
  const plain = await fetch(`${url}/metrics`)
  expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(await plain.text()).toContain('# TYPE container_cpu_usage_seconds_total counter\n')
  const open = await fetch(`${url}/metrics`, { headers: { accept: 'application/openmetrics-text; version=1.0.0' } })
  expect(open.headers.get('content-type')).toMatch(/^application\/openmetrics-text/)
  expect(await open.text()).toMatch(/# TYPE container_cpu_usage_seconds counter\n[\s\S]*# EOF\n$/)
  expect((await fetch(`${url}/metrics`, { method: 'HEAD' })).status).toBe(200)
  const posted = await fetch(`${url}/metrics`, { method: 'POST' })
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  expect((await fetch(`${url}/nothing`)).status).toBe(404)
  const port = Number(new URL(url).port)
  // what a page in a browser would send by a name that its owner pointed here
  const statusOf = async (headers: { [name: string]: string }) => {
    const [response] = await once(request(`${url}/metrics`, { headers, agent: false }).end(), 'response')
    const bytes = Buffer.concat(await response.toArray())
    return [response.statusCode, response.headers['content-encoding'], bytes] as const
  }
  expect((await statusOf({ host: `evil.example:${port}` }))[0]).toBe(403)
  for (const host of [`localhost:${port}`, `${hostname()}:${port}`, `[::1]:${port}`])
    expect((await statusOf({ host }))[0]).toBe(200)
  const [, encoding, zipped] = await statusOf({ 'accept-encoding': 'gzip' })
  expect(encoding).toBe('gzip')
  expect(gunzipSync(zipped).toString()).toContain('# TYPE container_cpu_usage_seconds_total counter\n')
  // another address of this machine, which the loopback interface has, too
  const refused = await new Promise((resolve) => {
    connect(port, '127.0.0.2')
      .on('connect', () => resolve('connected'))
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
  })
  expect(refused).toBe('ECONNREFUSED')
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('a port that is taken is said', async () => {
  const { url } = await serve()
  const { status, stderr } = await hutch(['metrics', '--listen', new URL(url).host])
  expect(status).toBe(125)
  expect(stderr).toContain('EADDRINUSE')
})

test('figures follow the group', async () => {
  const group = await Cgroup.create(top, { files: { 'pids.max': 5 } })
  const { url } = await serve()
  const look = async () => (await fetch(`${url}/metrics`)).text()
  expect(figureOf(await look(), 'container_threads_max')).toBe(5)
  await group.set('pids.max', 'max')
  let after: string
  do {
    await pause(100)
    after = await look()
  } while (figureOf(after, 'container_threads_max') !== 0)
  expect(figureOf(after, 'hutch_populated')).toBe(0)
  // one look for all who ask at once
  const texts = await Promise.all(Array.from({ length: 20 }, look))
  expect(new Set(texts).size).toBeLessThan(5)
})

test('--otlp pushes them, tells of a failure once, and goes on', async () => {
  await Cgroup.create(top, { files: { 'pids.max': 5 } })
  const heads: string[] = []
  let body = Buffer.alloc(0)
  let status = 500
  const server = createServer(async (asked, response) => {
    const { method, url, headers } = asked
    body = Buffer.concat(await asked.toArray())
    heads.push(`${method} ${url} ${headers['content-type']} ${headers['content-encoding']} ${headers.key}`)
    // in the end it answers nothing
    if (status !== 0) response.writeHead(status).end('not now')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  try {
    const { said, child } = await serve('--otlp', `http://127.0.0.1:${port}`, '--interval', '200ms')
    const until = async (done: () => boolean) => {
      while (!done()) await pause(50)
    }
    await until(() => heads.length > 2)
    status = 200
    await until(() => said().includes('pushing metrics works again'))
    expect(new Set(heads)).toEqual(new Set(['POST /v1/metrics application/x-protobuf gzip a b']))
    // the encoding itself: test/unit/monitor/metrics.test.ts
    const text = gunzipSync(body).toString('latin1')
    expect(text).toContain('container_threads_max')
    expect(text).toContain(top)
    expect(said().match(/cannot push metrics .* it answers 500 "not now";/g)).toHaveLength(1)
    status = 0
    const before = heads.length
    await until(() => heads.length > before)
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([0, null])
    status = 503
    const pushed = await hutch(['metrics', '--once', '--otlp', `http://127.0.0.1:${port}/x`])
    expect([pushed.status, pushed.stdout, pushed.stderr.split('\n', 1)[0]]).toEqual([
      125,
      '',
      `hutch: cannot push metrics to http://127.0.0.1:${port}/x: it answers 503 "not now"`,
    ])
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('a receiver in trouble is asked again, as soon as it wants, and one that refuses is not; the environment says where and how', async () => {
  await Cgroup.create(top, { files: { 'pids.max': 5 } })
  const got: { at: number; encoding: string | undefined; text: string }[] = []
  const answers: [status: number, headers?: { [name: string]: string }][] = [
    [503],
    [429, { 'retry-after': '3' }],
    [400],
  ]
  const server = createServer(async (asked, response) => {
    const text = Buffer.concat(await asked.toArray()).toString('latin1')
    const [status, headers] = answers[got.length] ?? [200]
    got.push({ at: performance.now(), encoding: asked.headers['content-encoding'], text })
    response.writeHead(status, headers).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  try {
    const { said } = await serveIn(
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
        OTEL_EXPORTER_OTLP_COMPRESSION: 'none',
        OTEL_EXPORTER_OTLP_TIMEOUT: 'soon',
        OTEL_RESOURCE_ATTRIBUTES: 'zone=north%20side',
        OTEL_SERVICE_NAME: 'barn',
        // no push is due before the test is over, but those that are tried again
        OTEL_METRIC_EXPORT_INTERVAL: '600000',
      },
      '--otlp',
      'env',
    )
    while (got.length < 3) await pause(50)
    const [first, second, third] = got
    expect(second!.at - first!.at).toBeGreaterThan(450)
    expect(third!.at - second!.at).toBeGreaterThan(2950)
    // longer than the wait after a third failure would be
    await pause(4500)
    expect(got).toHaveLength(3)
    for (const { encoding, text } of got) {
      expect(encoding).toBeUndefined()
      for (const part of ['service.name', 'barn', 'zone', 'north side', 'container_threads_max'])
        expect(text).toContain(part)
    }
    expect(said()).toContain(
      'hutch: OTEL_EXPORTER_OTLP_TIMEOUT is left aside: soon is not a number of milliseconds, 100 at least\n',
    )
    expect(said().match(/cannot push/g)).toHaveLength(1)
    expect(said()).toContain('it answers 503; it will be retried')
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
