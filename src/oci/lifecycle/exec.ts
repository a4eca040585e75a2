// SPDX-License-Identifier: Apache-2.0
// Runs another process in a container.

import { isRunning } from '../../container/process.ts'
import { containerStatus, startFile } from '../../container/status.ts'
import { containerDirectory, readContainer } from '../../container/store.ts'
import { parseCapability } from '../../credentials/capability.ts'
import { fail } from '../../errors/errors.ts'
import { existsSync, rmSync } from '../../system/files.ts'
import { closeDescriptor, native } from '../../system/native.ts'
import { randomBytes } from '../../system/random.ts'
import type { OciCallOf } from '../arguments.ts'
import { toExecSpec } from '../config/exec-spec.ts'
import type { OciProcess } from '../config/process-table.ts'
import { readProcess } from '../config/read-config.ts'
import type { OciContext } from '../context.ts'
import { readDocumentFile } from '../document-file.ts'
import { agentOf, connectAgent } from './agent.ts'
import { listenAt, openConsole } from './console.ts'
import { type OciState, readStoredConfig } from './details.ts'
import { passwdFile, readSecurity, withHome } from './host-facts.ts'
import { joinRdtClass } from './intel-rdt.ts'
import { loadKeptFilter } from './kept-filter.ts'
import { launchContained, statusOfEnd, type Waiting } from './launch-contained.ts'
import { writePidFile } from './pid-file.ts'
import { sendPidfd } from './pidfd.ts'
import { startCommand } from './start-command.ts'
import { listStreams, readPassed } from './streams.ts'

const sigkill = 9

/**
 * Runs a process in a container, and returns its exit status; 0 with --detach as soon as it runs.
 *
 * @throws CONTAINER_NOT_FOUND, CONTAINER_STATUS, OCI_CONFIG_INVALID, FILE_REFUSED, and the errors of a start
 */
export async function run({ id, options, words }: OciCallOf<'exec'>, { root, remark }: OciContext): Promise<number> {
  const passed = readPassed(options['preserve-fds'])
  const state: OciState = readContainer(root, id)
  const status = containerStatus(root, state)
  // before its root is made, a process would see the host's files
  if (
    !state.process ||
    status === 'stopped' ||
    status === 'creating' ||
    (status === 'paused' && !options['ignore-paused'])
  )
    throw fail('CONTAINER_STATUS', { id, action: 'exec', status })
  const { pid } = state.process
  const directory = containerDirectory(root, id)
  const config = readStoredConfig(directory)
  const request =
    options.process === undefined
      ? requestOf(config.process, options, words)
      : readProcess(readDocumentFile(options.process, 'give the path of a file with the process as JSON'))
  const socket = `${directory}/${startFile}-${randomBytes(8).toString('hex')}`
  const sockets: number[] = []
  try {
    const listening = listenAt(socket)
    sockets.push(listening)
    const terminal = openConsole(request.terminal === true, options['console-socket'], options.detach === true)
    if (terminal) sockets.push(...terminal.sockets)
    const streams = listStreams(passed, listening, terminal?.sockets[0])
    const { spec, warnings } = toExecSpec(request, config, {
      ...readSecurity(),
      id,
      pid,
      groups: groupsBelow(state.groups, options.cgroup ?? []),
      streams: streams.places,
    })
    for (const warning of warnings) remark(warning)
    const passwd = { root: `/proc/${pid}/root`, path: passwdFile }
    spec.env = { ...withHome(spec.env, passwd, spec.container!.ids.uid), ...streams.env }
    if (!options.detach) native().holdSignals()
    const filter = await loadKeptFilter(root, spec)
    // after the launch only the new process listens: a connection fails if it has ended
    const launched = () => closeDescriptor(sockets.shift()!)
    const waiting = await launchContained(spec, streams.stdio, { filter }, { launched })
    let follow: ((process: Waiting) => void) | undefined
    try {
      // the pid could have become another process's before its namespaces were joined
      if (isRunning(state.process) === false) throw fail('CONTAINER_STATUS', { id, action: 'exec', status: 'stopped' })
      if (state.details.rdt) joinRdtClass(state.details.rdt, waiting.pid)
      if (options['pid-file'] !== undefined) writePidFile(options['pid-file'], waiting.pid)
      sendPidfd(options['pidfd-socket'], waiting, 'setns')
      follow = terminal?.receive?.()
      const place = agentOf(config.linux?.seccomp)
      const agent = place && connectAgent(place, state, 'running', waiting.pid)
      try {
        startCommand(id, socket, () => request, agent)
      } finally {
        // the agent waits for the end of the connection
        if (agent) closeDescriptor(agent.socket)
      }
    } catch (error) {
      native().signal(waiting.job, sigkill)
      throw error
    }
    if (options.detach) return 0
    native().forward(waiting.job)
    follow?.(waiting)
    return statusOfEnd(await waiting.end)
  } finally {
    for (const fd of sockets) closeDescriptor(fd)
    rmSync(socket, { force: true })
  }
}

/** Returns the process that the options describe. What they do not say is that of the container's first process. */
function requestOf(first: OciProcess | undefined, options: OciCallOf<'exec'>['options'], args: string[]): OciProcess {
  const { cap = [], env = [], apparmor, cwd } = options
  const [uid, gid] = parseUser(options.user)
  const unknown = cap.find((word) => parseCapability(word) === undefined)
  if (unknown !== undefined)
    throw fail('OPTION_INVALID', { name: '--cap', value: unknown, accepted: 'a capability such as CAP_NET_RAW' })
  if (cwd !== undefined && !cwd.startsWith('/'))
    throw fail('OPTION_INVALID', { name: '--cwd', value: cwd, accepted: 'an absolute path' })
  const { capabilities, user } = first ?? {}
  const label = options['process-label']
  const groups = options['additional-gids']
  return {
    ...first,
    args,
    cwd: cwd ?? first?.cwd ?? '/',
    env: [...(first?.env ?? []), ...env],
    terminal: options.tty === true,
    user: {
      ...(user?.umask !== undefined && { umask: user.umask }),
      uid: uid ?? user?.uid ?? 0,
      gid: gid ?? user?.gid ?? 0,
      additionalGids: [...(user?.additionalGids ?? []), ...(groups ?? [])],
    },
    ...(options['no-new-privs'] && { noNewPrivileges: true }),
    ...(label !== undefined && { selinuxLabel: label }),
    ...(apparmor !== undefined && { apparmorProfile: apparmor }),
    ...(cap.length > 0 && {
      capabilities: {
        ...capabilities,
        // only named capabilities are inheritable (CVE-2022-29162)
        ...Object.fromEntries(
          (['bounding', 'effective', 'permitted'] as const).map((name) => [
            name,
            [...(capabilities?.[name] ?? []), ...cap],
          ]),
        ),
      },
    }),
  }
}

/** Returns the ids of UID or UID:GID. A missing one is that of the container's first process. @throws OPTION_INVALID */
function parseUser(value: string | undefined): (number | undefined)[] {
  if (value === undefined) return []
  const [, uid = '', gid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(value) ?? []
  const ids = [uid, gid].map((text) => (text === undefined ? undefined : Number(text)))
  if (uid !== '' && ids.every((id = 0) => id < 2 ** 32 - 1)) return ids
  throw fail('OPTION_INVALID', { name: '--user', value, accepted: 'UID or UID:GID, as numbers' })
}

/** Returns groups below those of a container, for `[CONTROLLER,…:]PATH`. @throws OPTION_INVALID */
function groupsBelow(groups: OciState['groups'], paths: readonly string[]): OciState['groups'] {
  return paths.reduce((found, word) => {
    const [, controllers, path = ''] = /^(?:([\w=,]*):)?(.*)$/s.exec(word)!
    if (path.split('/').includes('..') || path.includes('\0'))
      throw fail('OPTION_INVALID', { name: '--cgroup', value: word, accepted: 'a path below the container’s group' })
    const names = controllers?.split(',')
    return found.map((place) => {
      if (names && !names.includes(place.controller)) return place
      const directory = `${place.directory}/${path}`.replace(/\/+$/, '')
      if (existsSync(directory)) return { ...place, directory }
      throw fail('OPTION_INVALID', {
        name: '--cgroup',
        value: word,
        accepted: `an existing group; ${directory} does not exist`,
      })
    })
  }, groups)
}
