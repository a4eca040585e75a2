// SPDX-License-Identifier: Apache-2.0
// Connects a job's network: the job waits until the connection exists, then continues. Removes the connection when the job ends. Called by
// job.ts.

import { fail } from '../errors/errors.ts'
import { readHost } from '../host/host.ts'
import type { Connection, Helper } from '../network/connect.ts'
import { optionName } from '../options/names.ts'
import { parseOptions } from '../options/options.ts'
import type { Spec } from '../options/spec.ts'
import { runsAs } from '../plan/network.ts'
import type { Plan } from '../plan/plan.ts'
import { existsSync, readdirSync } from '../system/files.ts'
import { closeDescriptor, errnoName } from '../system/native.ts'
import { watchedNative } from '../system/reactor.ts'
import type { Launched } from './launch.ts'

type Start = (spec: Spec, options: { stdio: [number, 'pipe', 'pipe'] }) => Helper

/** A network connection that is being made. */
export interface Connecting {
  /**
   * Resolves when the job continues, with the job's addresses. Resolves with an empty array if the connection failed or
   * the addresses are unknown.
   */
  addresses: Promise<string[]>
  /** Removes the connection after the job's end. @throws NETWORK_REFUSED */
  end(): Promise<void>
}

const keeper = {
  keep: (fd: number, file: string) => watchedNative().keepNetwork(fd, file),
  drop: (file: string) => watchedNative().dropNetwork(0, file),
}

/**
 * Starts to connect the network, and returns at once. `start` runs a tool as a job. `failed` is called with the error
 * if the connection fails.
 */
export function beginConnection(launched: Launched, start: Start, failed: (error: unknown) => void): Connecting {
  const connecting = makeConnection(launched, start).catch((error: unknown) => {
    failed(error)
    return undefined
  })
  return {
    addresses: connecting.then((connection) => connection?.addresses ?? []),
    end: async () => (await connecting)?.close(),
  }
}

async function makeConnection({ job, pid, plan }: Launched, start: Start): Promise<Connection> {
  const network = plan.network!
  const addon = watchedNative()
  const netns = addon.networkOf(job)
  if (netns < 0)
    throw fail('STEP_REFUSED', {
      what: 'open the network namespace',
      operation: 'openat',
      origin: optionName('network', plan.spec.frontend),
      errno: errnoName(netns),
      remedy: 'the job ended before it was connected: try again',
    })
  try {
    const { connect } = await import('../network/connect.ts')
    const startHelper = (path: string, args: string[]) =>
      start(helperSpec(path, args, pid, plan), { stdio: [netns, 'pipe', 'pipe'] })
    const connection = await connect({ network, netns, runAs: runsAs(plan.userNamespace), startHelper, keeper })
    addon.release(job)
    return connection
  } finally {
    closeDescriptor(netns)
  }
}

/**
 * Returns the Spec that runs a network tool. The tool gets its own pid namespace. If hutch is killed, the kernel
 * therefore also kills the tool, even if its ids have changed. Without root, the tool enters the job's user namespace,
 * which owns the network namespace.
 */
function helperSpec(path: string, args: string[], pid: number, plan: Plan): Spec {
  const maps = plan.userNamespace
  const { uid, gid } = runsAs(maps)
  return parseOptions(
    path,
    args,
    {
      isolate: ['pid'],
      newPrivileges: true,
      ...(plan.spec.parent !== undefined && { parent: plan.spec.parent }),
      ...(maps && {
        join: { user: `/proc/${pid}/ns/user` },
        user: `${uid}:${gid}`,
        capAdd: ['ALL'],
      }),
    },
    'library',
  )
}

let swept = false

/**
 * Removes what CNI plugins set up for jobs whose hutch process was killed. Called after this process's first job.
 * Returns undefined if there is nothing to remove.
 */
export function sweepNetworks(): Promise<void> | undefined {
  if (swept) return undefined
  swept = true
  const { uid, owner } = readHost()
  const directory = '/run/hutch/cni'
  if (uid !== 0 || !existsSync(directory) || readdirSync(directory).length === 0) return undefined
  return import('../network/connect.ts').then(({ sweepRecords }) => sweepRecords(owner.pidNamespace, keeper))
}
