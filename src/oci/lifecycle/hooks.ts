// SPDX-License-Identifier: Apache-2.0
// Runs the hooks of a container: programs that its configuration names for points of its life. They get the state on
// stdin. A hook ends with its own process: what it leaves in the background runs on.

import { fail, HutchError } from '../../errors/errors.ts'
import { namespaceKinds } from '../../namespaces/namespace.ts'
import type { ContainerSpec } from '../../options/container-spec.ts'
import type { Spec } from '../../options/spec.ts'
import { closeSync, fstatSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from '../../system/files.ts'
import { closeDescriptor, native } from '../../system/native.ts'
import { randomBytes } from '../../system/random.ts'
import { signalName } from '../../system/signals.ts'
import { toExecSpec } from '../config/exec-spec.ts'
import { inOrder } from '../config/namespaces.ts'
import { toEnvironment } from '../config/process.ts'
import type { OciConfig } from '../config/read-config.ts'
import { processDefaults } from '../config/to-spec.ts'
import type { OciContext } from '../context.ts'
import { agentOf, connectAgent } from './agent.ts'
import { listenAt } from './console.ts'
import { hookState, type OciState, type StateStatus } from './details.ts'
import { readSecurity } from './host-facts.ts'
import { joinsOf } from './joins.ts'
import { loadKeptFilter } from './kept-filter.ts'
import { launchContained } from './launch-contained.ts'
import { startCommand } from './start-command.ts'

/** A hook of config.json. */
export type Hook = NonNullable<NonNullable<OciConfig['hooks']>['poststop']>[number]

/**
 * The points of a container's life at which hooks run, as config.json names them: the status that they get, and where
 * they run. `runtime`: as this process. `namespaces`: in the namespaces and groups of the first process, as root, before
 * its root is changed. All mounts of the container exist below its root directory then, in its mount namespace.
 * `process`: as the command, with its rights and its filter.
 */
const points = {
  prestart: { status: 'creating', runsIn: 'runtime' },
  createRuntime: { status: 'creating', runsIn: 'runtime' },
  createContainer: { status: 'creating', runsIn: 'namespaces' },
  startContainer: { status: 'created', runsIn: 'process' },
  poststart: { status: 'running', runsIn: 'runtime' },
  poststop: { status: 'stopped', runsIn: 'runtime' },
} as const satisfies { [point: string]: { status: StateStatus; runsIn: 'runtime' | 'namespaces' | 'process' } }

type HookPoint = keyof typeof points

/** The container of hooks. */
export interface HookedContainer {
  /** The root of the container. */
  root: string
  /** A directory for files of a hook that end with it. */
  directory: string
  state: OciState
  /** Reads the configuration; absent if no hook runs as the command. */
  config?: () => OciConfig
}

/** Index of the socket at which a hook waits for its start, behind the standard streams. */
const startStream = 3
const sigkill = 9
/** An error shows at most this much of a hook's output. */
const shownBytes = 16_384
/** The longest delay of a timer, in milliseconds. */
const longestDelay = 2 ** 31 - 1

/** Runs hooks in their order. The first failure ends it. @throws HOOK_FAILED */
export async function runHooks(point: HookPoint, hooks: readonly Hook[], container: HookedContainer): Promise<void> {
  for (const [index, hook] of hooks.entries()) {
    const failure = await runHook(point, hook, container)
    if (failure) throw fail('HOOK_FAILED', { point, index, path: hook.path, ...failure })
  }
}

/** Runs the hooks of poststop. The failure of one is a warning, and the others run. */
export async function runPoststop(root: string, state: OciState, remark: OciContext['remark']): Promise<void> {
  for (const hook of state.details.hooks?.poststop ?? [])
    try {
      await runHooks('poststop', [hook], { root, directory: root, state })
    } catch (error) {
      remark((error as Error).message)
    }
}

/** Runs a hook to its end. Returns why it failed; undefined if it did not. */
async function runHook(
  point: HookPoint,
  hook: Hook,
  container: HookedContainer,
): Promise<{ why: string; output: string } | undefined> {
  const { root, directory, state } = container
  const { timeout } = hook
  const { status, runsIn } = points[point]
  const text = hookState(runsIn === 'runtime' ? state : seenInside(state), status)
  const path = `${directory}/.hook-${randomBytes(8).toString('hex')}`
  const opened: number[] = []
  try {
    // files, because a pipe would hold this process while anything that the hook left has it, and end that afterwards
    const input = openUnnamed(path, text, 'r')
    opened.push(input)
    const output = openUnnamed(path, '', 'r+')
    opened.push(output)
    const spec = specs[runsIn](point, hook, container)
    const listening = listenAt(path)
    const { pid, job, end } = await launchContained(
      spec,
      [input, output, output, listening],
      { filter: await loadKeptFilter(root, spec) },
      { launched: () => closeDescriptor(listening) },
    )
    const place = runsIn === 'process' ? agentOf(container.config?.().linux?.seccomp) : undefined
    const agent = place && connectAgent(place, state, 'created', pid)
    let isLate = false
    const timer =
      timeout &&
      setTimeout(
        () => {
          isLate = true
          native().signal(job, sigkill)
        },
        Math.min(timeout * 1000, longestDelay),
      )
    try {
      startCommand(state.id, path, () => ({ args: [hook.path], cwd: '/' }), agent)
    } finally {
      // the agent waits for the end of the connection
      if (agent) closeDescriptor(agent.socket)
    }
    const ended = await end
    if (timer) clearTimeout(timer)
    if (ended === 0) return undefined
    const signal = signalName(ended & 0x7f)
    const why = isLate ? `not finished after ${timeout} s` : signal ? `ended by ${signal}` : `exit status ${ended >> 8}`
    return { why, output: isLate ? '' : readEnd(output) }
  } catch (error) {
    if (!HutchError.is(error)) throw error
    return { why: error.summary, output: '' }
  } finally {
    rmSync(path, { force: true })
    for (const fd of opened) closeSync(fd)
  }
}

/** Opens a file with a text, and removes its name. */
function openUnnamed(path: string, text: string, flags: 'r' | 'r+'): number {
  writeFileSync(path, text, { mode: 0o600 })
  const fd = openSync(path, flags)
  rmSync(path)
  return fd
}

/** Returns the last bytes of a file as text. */
function readEnd(fd: number): string {
  const { size } = fstatSync(fd)
  const bytes = Buffer.alloc(Math.min(size, shownBytes))
  return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, size - bytes.length)).trim()
}

/** Returns a state with the process id that the first process has in its own pid namespace. */
function seenInside(state: OciState): OciState {
  const { process } = state
  if (!process) return state
  const [, pid] = /^NSpid:.*\s(\d+)$/m.exec(readFileSync(`/proc/${process.pid}/status`, 'latin1')) ?? []
  return { ...state, process: { ...process, pid: Number(pid ?? process.pid) } }
}

type SpecMaker = (point: HookPoint, hook: Hook, container: HookedContainer) => Spec

/** Makes the Spec of a hook, by the place where it runs. */
const specs: { [place in (typeof points)[HookPoint]['runsIn']]: SpecMaker } = {
  runtime(point, hook, { state }) {
    const ids = { uid: process.getuid!(), gid: process.getgid!() }
    // the bundle of a deleted container can be gone
    const workdir = point === 'poststop' ? {} : { workdir: state.details.bundle }
    return { ...plainSpec(hook, { ids }), ...workdir }
  },
  namespaces(_, hook, { state }) {
    const found = joinsOf(state.process!.pid)
    const joins = namespaceKinds.flatMap((kind) => (found[kind] === undefined ? [] : { kind, path: found[kind] }))
    return {
      ...plainSpec(hook, { ids: { uid: 0, gid: 0 } }),
      joins: inOrder(joins),
      group: { enter: state.groups },
      workdir: state.rootfs,
    }
  },
  process(_, { path, args = [], env = [] }, { state, config }) {
    const document = config!()
    const { spec } = toExecSpec(
      { ...document.process!, args: [path, ...args.slice(1)], env, terminal: false },
      document,
      {
        ...readSecurity(),
        id: state.id,
        pid: state.process!.pid,
        groups: state.groups,
        streams: { start: startStream, kept: 0 },
      },
    )
    return { ...spec, container: { ...spec.container!, programName: args[0] ?? path } }
  },
}

/** The Spec of a hook that keeps the rights of this process. */
function plainSpec({ path, args = [], env = [] }: Hook, { ids }: Pick<ContainerSpec, 'ids'>): Spec {
  return {
    ...processDefaults,
    command: path,
    args: args.slice(1),
    env: toEnvironment(env, 'hooks.env'),
    extendEnv: false,
    isolate: [],
    joins: [],
    sysctls: [],
    rest: 'nobody',
    privileges: { capAdd: [], capDrop: [], newPrivileges: true, ulimits: [] },
    container: {
      ids,
      groups: [],
      programName: args[0] ?? path,
      startSocket: startStream,
      endsWithCreator: true,
      keptStreams: 0,
    },
  }
}
