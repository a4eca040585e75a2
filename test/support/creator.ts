// SPDX-License-Identifier: Apache-2.0
// A process that creates a container by the library's internals, as an OCI runtime does: a child of a subreaper, which the container outlives.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { afterAll } from 'vitest'
import type { ContainerSpec } from '../../src/options/container-spec.ts'
import type { RunOptions } from '../../src/options/options.ts'
import type { Spec } from '../../src/options/spec.ts'
import { compileProgram } from './compile.ts'
import { bundleProgram } from './maker.ts'
import { readStartTime } from './start-time.ts'

const code = `
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseOptions } from './src/options/options.ts'
import { launch } from './src/run/launch.ts'
import { watchedNative, watchJob } from './src/system/reactor.ts'
const { command, options, inputs, container, output, socket, console: consoleSocket, extra } = JSON.parse(process.argv[2])
const addon = watchedNative()
const out = openSync(output, 'a')
const streams = [-1, out, out, ...extra.map((path) => openSync(path, 'r'))]
const add = (descriptor) => {
  if (descriptor < 0) throw new Error(String(descriptor))
  return streams.push(descriptor) - 1
}
if (consoleSocket) container.terminal.socket = add(addon.connectTo(consoleSocket))
if (socket) container.startSocket = add(addon.listenAt(socket))
const say = (event) => console.log(JSON.stringify(event))
try {
  const spec = { ...parseOptions(command[0], command.slice(1), options, 'library'), rest: 'nobody', dieWithParent: false, init: false, ...inputs, container }
  const { job, pid, program } = launch(spec, streams)
  for (const descriptor of streams.slice(1)) if (descriptor > 2) try { closeSync(descriptor) } catch {}
  watchJob(job, (event) => say({ ...event, ...(event.kind === 'failed' && { op: program.inner[event.step]?.op }) }))
  say({ kind: 'launched', pid })
  createInterface(process.stdin).on('line', (line) => (line === 'release' ? say({ kind: 'released', result: addon.release(job) }) : process.exit(0))).on('close', () => process.exit(0))
} catch (error) {
  say({ kind: 'refused', message: String(error.message) })
  process.exit(1)
}
`

/** A line of the creator or the subreaper. */
export interface CreatorEvent {
  kind?: string
  [field: string]: unknown
}

export interface Created {
  subreaper: ChildProcess
  /** The process of the container. */
  pid: number
  /** The file that the container's stdout and stderr are. */
  output: string
  /** Path of the socket on which it waits for its start. */
  socket: string
  /** All lines so far. */
  events: CreatorEvent[]
  /** Resolves with the first line that has these fields. */
  next(wanted: CreatorEvent): Promise<CreatorEvent>
  /** Writes a line to the creator: `release`, or `exit`. */
  tell(line: string): void
  read(): string
}

/** What a container of a test has besides what every container needs. */
export interface Wanted {
  options?: RunOptions
  inputs?: Partial<Spec>
  container?: Partial<Omit<ContainerSpec, 'startSocket'>>
  /** False if the command begins at once. */
  waits?: boolean
  /** Path of a socket that receives the terminal. */
  console?: string
  /** Files to open as descriptors 3 and above. */
  extra?: string[]
}

let directory = ''
let count = 0
const all: Created[] = []

/** Ends what is left of the containers of a test. */
export async function endCreated(): Promise<void> {
  for (const { subreaper, pid } of all.splice(0)) {
    subreaper.stdin!.end()
    if (pid > 0 && readStartTime(String(pid)) !== undefined) process.kill(pid, 'SIGKILL')
    if (subreaper.exitCode === null) await new Promise((resolve) => subreaper.once('exit', resolve))
  }
}

afterAll(() => {
  if (directory) rmSync(directory, { recursive: true, force: true })
})

/** Creates a container. Resolves when its process has been cloned, or the creator has refused it. */
export async function create(command: string[], wanted: Wanted = {}): Promise<Created> {
  if (!directory) {
    directory = mkdtempSync(`${tmpdir()}/hutch-creator-`)
    compileProgram('subreaper', `${directory}/subreaper`)
  }
  const number = ++count
  const output = `${directory}/out-${number}`
  const socket = wanted.waits === false ? '' : `${directory}/start-${number}`
  const request = {
    command,
    output,
    socket,
    options: { isolate: 'none', newPrivileges: true, ...wanted.options },
    inputs: { env: { PATH: '/usr/bin:/bin' }, group: { enter: [] }, ...wanted.inputs },
    container: { groups: [], ids: { uid: 0, gid: 0, groups: [] }, keptStreams: 0, ...wanted.container },
    console: wanted.console,
    extra: wanted.extra ?? [],
  }
  const subreaper = spawn(`${directory}/subreaper`, [process.execPath, bundleProgram(code), JSON.stringify(request)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const events: CreatorEvent[] = []
  const waiting = new Set<() => void>()
  createInterface(subreaper.stdout!)
    .on('line', (line) => {
      events.push(JSON.parse(line))
      for (const look of waiting) look()
    })
    .on('close', () => {
      events.push({ kind: 'closed' })
      for (const look of waiting) look()
    })
  const next = (fields: CreatorEvent) =>
    new Promise<CreatorEvent>((resolve, reject) => {
      const look = () => {
        const found = events.find((event) => Object.entries(fields).every(([name, value]) => event[name] === value))
        if (found) resolve(found)
        else if (events.at(-1)?.kind === 'closed')
          reject(new Error(`no ${JSON.stringify(fields)}: ${JSON.stringify(events)}`))
        else return
        waiting.delete(look)
      }
      waiting.add(look)
      look()
    })
  const created: Created = {
    subreaper,
    pid: 0,
    output,
    socket,
    events,
    next,
    tell: (line) => void subreaper.stdin!.write(`${line}\n`),
    read: () => (existsSync(output) ? readFileSync(output, 'utf8') : ''),
  }
  all.push(created)
  created.pid = Number((await next({ kind: 'launched' })).pid)
  return created
}

/** Returns the process id of the parent of a process. */
export function parentOf(pid: number): number {
  return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))![1])
}
