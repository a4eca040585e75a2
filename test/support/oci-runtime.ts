// SPDX-License-Identifier: Apache-2.0
// Containers by command line, as callers of an OCI runtime make them: bundles, calls and their results, by hutch or by runc as the control.
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createInterface } from 'node:readline'
import { vi } from 'vitest'
import { minimal } from '../oci/config-documents.ts'
import { baseDocument } from '../oci/conformance/rows.ts'
import { hutchCommand } from './command.ts'
import { compileProgram } from './compile.ts'
import { makeImage, workplace } from './image.ts'

const commands = { hutch: [...hutchCommand, 'oci'], runc: ['runc'] } as const
export type RuntimeName = keyof typeof commands
export const runtimeNames = Object.keys(commands) as RuntimeName[]

/** What a command printed, and how it ended. */
export interface Result {
  status: number | null
  stdout: string
  stderr: string
}

interface CallOptions {
  input?: string
  env?: { [name: string]: string }
  cwd?: string
  /** Descriptors 3 and above. */
  extra?: number[]
  uid?: number
}

/** A command whose containers become children of a subreaper, as those of conmon and containerd's shim. */
export interface Held {
  /** Process id of the subreaper. */
  subreaper: number
  /** Process id of the command. */
  pid: number
  /** Resolves with the wait status of a child of the subreaper. */
  ended(pid: number): Promise<number>
  /** Resolves when the command has ended. */
  result: Promise<Result>
  /** Returns what the subreaper has not reaped: the command, and processes that their parents have left. */
  children(): string[]
  kill(): void
}

/** A place for the bundles and containers of one runtime. */
export interface Ground {
  readonly name: RuntimeName
  readonly path: string
  /** The directory of the state of all containers. */
  readonly root: string
  readonly image: string
  /** Words before the runtime's command. */
  readonly words: readonly string[]
  /** Makes a bundle; config.json has these values at these paths. Returns its directory. The container's group is named as its id. */
  bundle(id: string, changes?: { [path: string]: unknown }): string
  newId(): string
  /** Runs a command to its end. What it starts may go on and keep the streams. */
  call(words: readonly string[], options?: CallOptions): Result
  /** Does the same while this process goes on. */
  begin(words: readonly string[], options?: CallOptions): Promise<Result>
  /** Runs a command as the child of a subreaper. `program` stands for the runtime. */
  hold(words: readonly string[], program?: readonly string[]): Promise<Held>
  /** Creates a container with a bundle of its own, and starts it. Returns its id. @throws if a command fails */
  started(changes?: { [path: string]: unknown }): string
  status(id: string): string
  /** Process id of the first process. */
  pid(id: string): number
  /** Resolves when a container has this status. */
  becomes(id: string, status: string): Promise<void>
  /** Deletes all containers, and removes everything. */
  remove(): void
}

let serial = 0

export function makeGround(name: RuntimeName): Ground {
  const { path, remove } = workplace()
  chmodSync(path, 0o755)
  const root = `${path}/state`
  const image = makeOciImage(`${path}/image`)
  const words = [...commands[name], '--root', root]
  const held: Held[] = []
  const begin = (given: readonly string[], options: CallOptions = {}, before: readonly string[] = []) => {
    const number = serial++
    const [out, err] = [`${path}/out-${number}`, `${path}/err-${number}`]
    const [file = '', ...args] = [...before, ...words, ...given]
    const fds = [openSync(out, 'a'), openSync(err, 'a')]
    const { input, extra = [], ...others } = options
    const spawned: SpawnOptions = { ...others, stdio: [input === undefined ? 'ignore' : 'pipe', ...fds, ...extra] }
    const texts = () => ({ stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') })
    return { file, args, spawned, input, texts, close: () => fds.forEach((fd) => void closeSync(fd)) }
  }
  const ground: Ground = {
    name,
    path,
    root,
    image,
    words,
    bundle(id, changes = {}) {
      const bundle = `${path}/${id}`
      mkdirSync(bundle, { recursive: true })
      const document = minimal({
        ...baseDocument(image),
        'linux.cgroupsPath': `/${id}`,
        'process.args': ['sleep', '1000'],
        ...changes,
      })
      writeFileSync(`${bundle}/config.json`, JSON.stringify(document))
      return bundle
    },
    newId: () => `hutch-${process.pid}-${serial++}`,
    call(given, options) {
      const { file, args, spawned, input, texts, close } = begin(given, options)
      const { status } = spawnSync(file, args, {
        ...spawned,
        ...(input !== undefined && { input }),
        timeout: 60_000,
      } as object)
      close()
      return { status, ...texts() }
    },
    async begin(given, options) {
      const { file, args, spawned, input, texts, close } = begin(given, options)
      const child = spawn(file, args, spawned)
      close()
      child.stdin?.end(input)
      const [status] = await once(child, 'exit')
      return { status, ...texts() }
    },
    async hold(given, runtime = words) {
      const program = `${path}/subreaper`
      if (!existsSync(program)) compileProgram('subreaper', program)
      const number = serial++
      const [out, err] = [`${path}/out-${number}`, `${path}/err-${number}`]
      // a command that is killed at once opens neither
      for (const file of [out, err]) writeFileSync(file, '')
      const line = `exec "$@" </dev/null >${out} 2>${err}`
      const child = spawn(program, ['/bin/sh', '-c', line, 'sh', ...runtime, ...given], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ends = new Map<number, number>()
      let pid = 0
      createInterface(child.stdout!).on('line', (text) => {
        const event = JSON.parse(text)
        if (event.started) pid = event.started
        else ends.set(event.reaped, event.status)
      })
      const until = (holds: () => boolean) => vi.waitUntil(holds, { timeout: 30_000, interval: 2 })
      const ended = async (wanted: number) => {
        await until(() => ends.has(wanted))
        return ends.get(wanted)!
      }
      await until(() => pid > 0)
      const one: Held = {
        subreaper: child.pid!,
        pid,
        ended,
        result: ended(pid).then((status) => ({
          status: status >> 8,
          stdout: readFileSync(out, 'utf8'),
          stderr: readFileSync(err, 'utf8'),
        })),
        children: () => childrenOf(child.pid!),
        kill: () => child.kill('SIGKILL'),
      }
      held.push(one)
      return one
    },
    started(changes) {
      const id = ground.newId()
      const bundle = ground.bundle(id, changes)
      for (const given of [
        ['create', '--bundle', bundle, id],
        ['start', id],
      ]) {
        const { status, stderr } = ground.call(given)
        if (status !== 0) throw new Error(`${name} ${given[0]}: ${stderr}`)
      }
      return id
    },
    status(id) {
      const { stdout, stderr } = ground.call(['state', id])
      return stdout === '' ? stderr : JSON.parse(stdout).status
    },
    pid: (id) => JSON.parse(ground.call(['state', id]).stdout).pid,
    becomes: (id, status) =>
      vi.waitFor(
        () => {
          const found = ground.status(id)
          if (found !== status) throw new Error(`${id} is ${found}, not ${status}`)
        },
        { timeout: 30_000, interval: 10 },
      ),
    remove() {
      if (existsSync(root))
        for (const id of readdirSync(root).filter((one) => !/^[.~]/.test(one))) ground.call(['delete', '--force', id])
      for (const { kill } of held) kill()
      remove()
    },
  }
  return ground
}

/** Returns the children of a process; none if it has ended. */
function childrenOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  } catch {
    return []
  }
}

function makeOciImage(path: string): string {
  const image = makeImage(path)
  for (const tool of ['sleep', 'tty', 'stty', 'kill', 'env', 'nproc', 'stat', 'wc'])
    if (!existsSync(`${image}/bin/${tool}`)) symlinkSync('busybox', `${image}/bin/${tool}`)
  writeFileSync(`${image}/etc/passwd`, 'root:x:0:0::/root:/bin/sh\nuser:x:1:1::/home/user:/bin/sh\n')
  return image
}
