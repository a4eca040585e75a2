// SPDX-License-Identifier: Apache-2.0
// Creates containers: the directory, the groups, and the first process, which waits for its start.

import { readContainerProcess } from '../../container/process.ts'
import { stateVersion } from '../../container/state.ts'
import { creationFile, startFile } from '../../container/status.ts'
import { createContainer, type LockedContainer, refuseExisting } from '../../container/store.ts'
import { readHost } from '../../host/host.ts'
import { existsSync, rmSync, writeFileSync } from '../../system/files.ts'
import { closeDescriptor } from '../../system/native.ts'
import { resolve } from '../../system/paths.ts'
import type { OciCallOf } from '../arguments.ts'
import { placeOfFile } from '../config/home.ts'
import { type OciConfig, readConfig } from '../config/read-config.ts'
import { toSpec } from '../config/to-spec.ts'
import type { OciContext } from '../context.ts'
import { readDocumentFile } from '../document-file.ts'
import { removeGroups } from '../resources/groups.ts'
import { planContainerGroups } from '../resources/plan-groups.ts'
import { startUnit, stopUnit } from '../resources/systemd-unit.ts'
import { textPath } from '../root.ts'
import { agentOf, requireAgent } from './agent.ts'
import { listenAt, openConsole } from './console.ts'
import { stopContainer } from './delete.ts'
import { configPath, type OciDetails, type OciState } from './details.ts'
import { runHooks, runPoststop } from './hooks.ts'
import { passwdFile, readSecurity, withHome } from './host-facts.ts'
import { closeRdtClass, joinRdtClass, openRdtClass, resctrl } from './intel-rdt.ts'
import { loadKeptFilter } from './kept-filter.ts'
import { launchContained, type Waiting } from './launch-contained.ts'
import { moveNetDevices } from './net-devices.ts'
import { writePidFile } from './pid-file.ts'
import { sendPidfd } from './pidfd.ts'
import { listStreams, readPassed } from './streams.ts'

type BundleOptions = Pick<
  OciCallOf<'create'>['options'],
  'bundle' | 'console-socket' | 'pid-file' | 'no-pivot' | 'no-new-keyring' | 'preserve-fds' | 'pidfd-socket'
>

/** A container whose first process waits for its start. The caller closes the lock. */
export interface Created {
  container: LockedContainer<OciDetails>
  waiting: Waiting
  /** Connects the standard streams with the container's terminal, if this process has it, until the container ends. */
  follow: () => void
}

/**
 * Creates a container from a bundle. If that fails, nothing is left.
 *
 * @throws CONTAINER_EXISTS, OCI_CONFIG_INVALID, HOOK_FAILED, and the errors of a start
 */
export async function createFromBundle(
  id: string,
  options: BundleOptions,
  { root, global, remark }: OciContext,
  attached = false,
): Promise<Created> {
  const passed = readPassed(options['preserve-fds'])
  const bundle = textPath('--bundle', resolve(options.bundle ?? '.'))
  const text = readDocumentFile(`${bundle}/config.json`, 'give a bundle, a directory with config.json, by --bundle')
  const config = readConfig(text)
  const { linux = {} } = config
  const driver = global.cgroupManager === 'systemd' ? 'systemd' : 'cgroupfs'
  const { annotations = {} } = config
  // before its groups are found to have processes
  refuseExisting(root, id)
  const groups: ReturnType<typeof planContainerGroups> =
    global.cgroupManager === 'disabled'
      ? { groups: [], places: [] }
      : planContainerGroups(linux.cgroupsPath, readHost(), linux.resources ?? {}, id, { driver, annotations })
  const { unit } = groups
  const first = firstState(id, bundle, config, groups.places, driver)
  const state = unit ? { ...first, unit: unit.name } : first
  const container = createContainer<OciDetails>(root, state)
  const path = `${container.directory}/${startFile}`
  const sockets: number[] = []
  let hasGroups = false
  let releaseUnit: (() => Promise<void>) | undefined
  try {
    writeFileSync(`${container.directory}/${creationFile}`, '')
    writeFileSync(configPath(container.directory), text, { mode: 0o600 })
    const listening = listenAt(path)
    sockets.push(listening)
    const terminal = openConsole(config.process?.terminal === true, options['console-socket'], !attached)
    if (terminal) sockets.push(...terminal.sockets)
    const streams = listStreams(passed, listening, terminal?.sockets[0])
    const { hooks = {} } = config
    const { spec, warnings } = toSpec(config, {
      ...readSecurity(),
      id,
      bundle,
      hasResctrl: existsSync(`${resctrl}/schemata`),
      ...groups,
      streams: streams.places,
      noPivot: options['no-pivot'] === true,
      noNewKeyring: options['no-new-keyring'] === true,
    })
    for (const warning of warnings) remark(warning)
    requireAgent(state.details.agent)
    spec.env = { ...withHome(spec.env, placeOfFile(spec.root!, passwdFile), spec.container!.ids.uid), ...streams.env }
    const filter = await loadKeptFilter(root, spec)
    if (linux.intelRdt) {
      state.details.rdt = openRdtClass(linux.intelRdt, id)
      container.save(state)
    }
    if (unit) releaseUnit = await startUnit(unit, groups.groups)
    const waiting = await launchContained(
      spec,
      streams.stdio,
      { filter },
      {
        launched: (pid) => {
          hasGroups = true
          // only the container listens: a connection fails if it has ended
          closeDescriptor(sockets.shift()!)
          const process = readContainerProcess(pid)
          if (process) container.save({ ...state, process })
          if (state.details.rdt) joinRdtClass(state.details.rdt, pid)
          // only outside of a user namespace can a score be lowered
          if (spec.container!.maps && spec.privileges.oomScoreAdj !== undefined)
            lowerOomScore(pid, spec.privileges.oomScoreAdj)
        },
        beforeRoot: async (pid) => {
          moveNetDevices(linux.netDevices ?? {}, pid)
          const hooked = { root, directory: container.directory, state: container.state!, config: () => config }
          for (const point of ['prestart', 'createRuntime', 'createContainer'] as const)
            await runHooks(point, hooks[point] ?? [], hooked)
        },
      },
    )
    await releaseUnit?.()
    rmSync(`${container.directory}/${creationFile}`)
    if (options['pid-file'] !== undefined) writePidFile(options['pid-file'], waiting.pid)
    sendPidfd(options['pidfd-socket'], waiting, 'standard')
    const follow = terminal?.receive?.()
    return { container, waiting, follow: () => follow?.(waiting) }
  } catch (error) {
    // a launch that fails removes its groups itself; another container's can have the same path
    if (hasGroups) {
      stopContainer(container.state!)
      removeGroups(state.groups)
    }
    closeRdtClass(state.details.rdt)
    if (unit && releaseUnit) await stopUnit(unit.name)
    if (hasGroups) await runPoststop(root, container.state!, remark)
    container.remove()
    container.close()
    throw error
  } finally {
    for (const fd of sockets) closeDescriptor(fd)
  }
}

/** Sets the score of a process for the case that memory is short. A score that this user may not set is left. */
function lowerOomScore(pid: number, score: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score))
  } catch {
    // as the specification requires: the process keeps the score of its creator
  }
}

function firstState(
  id: string,
  bundle: string,
  config: OciConfig,
  groups: OciState['groups'],
  driver: OciState['driver'],
): OciState {
  const { hooks = {}, linux } = config
  const agent = agentOf(linux?.seccomp)
  const pids = linux?.namespaces?.find(({ type }) => type === 'pid')
  return {
    version: stateVersion,
    id,
    created: new Date().toISOString(),
    owner: process.getuid!(),
    annotations: config.annotations ?? {},
    rootfs: resolve(bundle, config.root?.path ?? 'rootfs'),
    driver,
    groups,
    details: {
      ociVersion: config.ociVersion,
      bundle,
      hooks: {
        startContainer: hooks.startContainer ?? [],
        poststart: hooks.poststart ?? [],
        poststop: hooks.poststop ?? [],
      },
      ...(agent && { agent }),
      ownsPids: pids !== undefined && !pids.path,
    },
  }
}

export async function run({ id, options }: OciCallOf<'create'>, context: OciContext): Promise<number> {
  const { container } = await createFromBundle(id, options, context)
  container.close()
  return 0
}
