// SPDX-License-Identifier: Apache-2.0
// Serves the dashboard by HTTP: the page, the stream of changes, a group's history and processes and, if allowed,
// changes to groups.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type ActionResult, type GroupActions, holdsMyself, limits, makeActions } from '../../cgroup/actions.ts'
import { HutchError, nameOptions } from '../../errors/errors.ts'
import type { OptionNames } from '../../errors/remedy-text.ts'
import type { Host } from '../../host/host.ts'
import { type Gate, makeGate } from '../../monitor/exporter/auth.ts'
import { listen } from '../../monitor/exporter/listen.ts'
import { readMembers } from '../../monitor/processes.ts'
import type { ActionRequest, Processes, ProcessRow, Session } from './api-types.ts'
import { openFeed } from './feed.ts'
import { makeStreams } from './sse.ts'

/** The built files of the page. */
export interface Page {
  html: string
  css: string
  js: string
}

interface DashboardOptions {
  address: string
  /** TCP port to listen on; 0 means any free port. */
  port: number
  /** True if users of the page may change limits, and freeze and kill groups. */
  allowChanges: boolean
  page: Page
  /** How errors name options. */
  names: OptionNames
}

interface Dashboard {
  /** The URL to open. Its fragment contains the token, because browsers do not send fragments. */
  readonly url: string
  close(): void
}

const maxConnections = 64
const maxBody = 4096
const maxProcesses = 300

const safety = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

/** Starts the server. @throws FILE_REFUSED if it cannot listen; CGROUP_MISSING */
export async function openDashboard(host: Host, options: DashboardOptions): Promise<Dashboard> {
  let answer: (request: IncomingMessage, response: ServerResponse) => void = () => {}
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5_000, connectionsCheckingInterval: 1_000 },
    (request, response) => answer(request, response),
  )
  server.maxConnections = maxConnections
  const { port, place } = await listen(server, options.address, options.port)
  const gate = makeGate(port, options.address)
  const streams = makeStreams(
    () => feed.all(),
    (count) => feed.watched(count > 0),
  )
  const feed = openFeed(host, options.allowChanges, (change) => streams.send(change))
  const { page, allowChanges, names } = options
  const actions = makeActions(names)
  const files: { [path: string]: [type: string, text: string] } = {
    '/': ['text/html; charset=utf-8', page.html],
    '/page.css': ['text/css; charset=utf-8', page.css],
    '/page.js': ['text/javascript; charset=utf-8', page.js],
  }
  const processes = freshFor(500, (group: string) => listProcesses(host, group))

  const route = async (request: IncomingMessage, response: ServerResponse) => {
    const [, path = '', query] = /^([^?]*)(?:\?(.*))?$/s.exec(request.url ?? '/') ?? []
    const pathname = path.startsWith(`${gate.base}/`) ? path.slice(gate.base.length) : path
    const posted = request.method === 'POST'
    for (const [name, value] of Object.entries(safety)) response.setHeader(name, value)
    const refused = gate.refuse(request.headers, { changes: posted, opens: !posted && pathname === '/' })
    if (refused) return reply(response, 403, { said: `refused: ${refused}` })
    if (!posted && request.method !== 'GET')
      return reply(response.setHeader('allow', 'GET, POST'), 405, { said: 'ask by GET or POST' })
    if (!posted && Object.hasOwn(files, pathname)) {
      const [type, text] = files[pathname]!
      response.writeHead(200, { 'content-type': type }).end(text)
      return
    }
    if (posted && pathname === '/session') return openSession(gate, request, response)
    if (!gate.knows(request.headers))
      return reply(response, 401, { said: 'open the URL that hutch dashboard printed: it has the token' })
    if (posted && pathname === '/change') {
      if (!allowChanges)
        return reply(response, 403, { said: 'start hutch dashboard with --allow-changes to change groups' })
      const wish = parseWish(await readJson(request))
      if (!wish) return reply(response, 400, { said: 'unknown change' })
      const outcome = await change(host, actions, wish)
      reply(response, outcome.done ? 200 : 409, outcome)
      if (outcome.done) feed.refresh()
      return
    }
    if (posted) return reply(response, 404, { said: 'not found' })
    if (pathname === '/events') {
      request.socket.setKeepAlive(true, 30_000)
      if (!streams.add(response)) reply(response, 503, { said: 'too many pages are open' })
      return
    }
    const group = new URLSearchParams(query).get('group') ?? ''
    if (pathname !== '/history' && pathname !== '/processes') return reply(response, 404, { said: 'not found' })
    if (!feed.has(group)) return reply(response, 404, { said: 'there is no such group' })
    reply(response, 200, pathname === '/history' ? feed.history(group) : processes(group))
  }
  answer = (request, response) => {
    route(request, response).catch((error: unknown) => {
      const said = HutchError.is(error) ? nameOptions(error, names).message : 'hutch cannot answer this request'
      if (response.headersSent) response.destroy()
      else reply(response, HutchError.is(error) ? 409 : 500, { said })
    })
  }
  return {
    url: `http://${place}/#token=${gate.token}`,
    close() {
      server.close()
      streams.close()
      server.closeAllConnections()
      feed.close()
    },
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function openSession(gate: Gate, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readJson(request)
  const token = typeof body === 'object' && body !== null && 'token' in body ? body.token : undefined
  if (typeof token !== 'string' || !gate.isToken(token)) return reply(response, 401, { said: 'the token is wrong' })
  const session: Session = { base: gate.base }
  reply(response.setHeader('set-cookie', gate.cookie()), 200, session)
}

/** Reads the JSON in the body of a request. Returns undefined if it is too long or invalid. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > maxBody) return undefined
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'))
  } catch {
    return undefined
  }
}

function parseWish(body: unknown): ActionRequest | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const { action, group, file, value } = body as { [key: string]: unknown }
  if (typeof group !== 'string' || !group.startsWith('/')) return undefined
  if (action === 'kill' || action === 'freeze' || action === 'thaw') return { action, group }
  const known = Object.values(limits).some((limit) => limit.file === file)
  if (action !== 'limit' || !known || typeof value !== 'string') return undefined
  return { action, group, file: file as string, value: value.trim() }
}

async function change(host: Host, actions: GroupActions, wish: ActionRequest): Promise<ActionResult> {
  const { action, group } = wish
  if (action === 'limit') return actions.setLimit(group, wish.file, wish.value)
  if (action !== 'thaw' && holdsMyself(host, group))
    return { done: false, said: `hutch dashboard itself is in ${group}, or it is the root` }
  return action === 'kill' ? actions.kill(group) : actions.freeze(group, action === 'freeze')
}

/** Returns the processes of a group and its descendants that use the most memory. */
function listProcesses(host: Host, within: string): Processes {
  const all: ProcessRow[] = []
  for (const [group, members] of readMembers(host, within))
    for (const { pid, uid, state, threads, resident, cpuUsec, command, kernel } of members)
      if (!kernel) all.push({ pid, group, uid, state, threads, resident, cpuUsec, command: command.slice(0, 300) })
  const seen = new Set<number>()
  const processes = all
    .filter(({ pid }) => !seen.has(pid) && seen.add(pid))
    .sort((a, b) => b.resident - a.resident || a.pid - b.pid)
  return { processes: processes.slice(0, maxProcesses), more: Math.max(0, processes.length - maxProcesses) }
}

/** Caches the results of a function by key for this time. */
function freshFor<T>(ms: number, make: (key: string) => T): (key: string) => T {
  let last: { key: string; at: number; value: T } | undefined
  return (key) => {
    if (last?.key !== key || performance.now() - last.at > ms) last = { key, at: performance.now(), value: make(key) }
    return last.value
  }
}
