// SPDX-License-Identifier: Apache-2.0
// Makes the connection of a job that waits for it, and takes it down: loaded only for a run that has one.
import type { Readable } from 'node:stream'
import { fail } from '../errors/errors.ts'
import { plain } from '../text/quote.ts'
import { addNetwork, checkPlugins, deleteNetwork } from './cni.ts'
import { readConfigList } from './cni-config.ts'
import { dropRecord, keepRecord, type NetworkKeeper, noteResult, sweepRecords } from './cni-record.ts'
import type { PlannedNetwork } from './network.ts'
import { openOrders } from './slirp-ports.ts'
import { toolArguments } from './user-mode.ts'

export { sweepRecords }

/** A program that runs beside the job, as a job of hutch's own: so it ends with hutch, and nothing of it is left. */
export interface Helper {
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  readonly result: Promise<unknown>
  kill(): boolean
}

/** What is to be connected, and by what means. */
export interface Waiting {
  network: PlannedNetwork
  /** Descriptor of its network namespace. */
  netns: number
  /** Somebody whom the user namespace that owns it knows: 0 where there is one. */
  runAs: { uid: number; gid: number }
  /** Runs a program with that descriptor as its stdin, and with rights over that namespace. */
  startHelper(path: string, args: string[]): Helper
  keeper: NetworkKeeper
}

/** A connection that stands. */
export interface Connection {
  /** Addresses inside as the plugins told them, such as `10.88.0.2/16`; of a private network none is known. */
  addresses: string[]
  /** Takes it down. @throws NETWORK_REFUSED when something is left, which the next run removes */
  close(): Promise<void>
}

/** @throws NETWORK_REFUSED, NETWORK_UNKNOWN, NETWORK_CONFIG_INVALID, with nothing left behind */
export function connect(waiting: Waiting): Promise<Connection> {
  const { network } = waiting
  return network.kind === 'cni' ? connectCni(network, waiting) : connectPrivate(network, waiting)
}

type Of<K extends PlannedNetwork['kind']> = Extract<PlannedNetwork, { kind: K }>

async function connectCni(network: Of<'cni'>, { netns, keeper }: Waiting): Promise<Connection> {
  const list = readConfigList(network.configDirectory, network.name)
  checkPlugins(list)
  // written first: what a plugin did before hutch was killed is taken down, too
  const record = keepRecord({ id: network.id, list, publish: network.publish }, netns, keeper)
  const close = async () => {
    await deleteNetwork(record)
    dropRecord(record.id, keeper)
  }
  try {
    const result = await addNetwork(record)
    noteResult(record)
    return { addresses: result.addresses, close }
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
}

/** Half a minute is long for what takes some milliseconds, and an end for what never comes. */
const patienceMs = 30_000
const saidAtMost = 4096

async function connectPrivate(network: Of<'private'>, { startHelper, runAs }: Waiting): Promise<Connection> {
  const { tool, path, publish } = network
  const orders = tool === 'slirp4netns' && publish.length > 0 ? openOrders() : undefined
  const setting = { publish, runAs, ...(orders && { socket: orders.socket }) }
  let said = ''
  try {
    const helper = startHelper(path, toolArguments(tool, setting))
    helper.stderr?.on('data', (data: Buffer) => {
      said = `${said}${data.toString('latin1')}`.slice(-saidAtMost)
    })
    const close = async () => {
      helper.kill()
      await helper.result.catch(() => {})
    }
    try {
      await isReady(helper, tool, () => said)
      for (const port of orders ? publish : []) await orders!.forward(port)
    } catch (error) {
      await close()
      throw error
    }
    return { addresses: [], close }
  } finally {
    orders?.remove()
  }
}

/** A line of digits on stdout says so: pasta's process id, slirp4netns's 1. */
async function isReady(helper: Helper, tool: string, said: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const how = await Promise.race([
    new Promise<'ready'>((resolve) => {
      let told = ''
      helper.stdout?.on('data', (data: Buffer) => {
        told = `${told}${data.toString('latin1')}`.slice(-saidAtMost)
        if (/(^|\n)\d+\n?$/.test(told)) resolve('ready')
      })
    }),
    helper.result.then(() => 'ended' as const),
    new Promise<'silent'>((resolve) => {
      timer = setTimeout(() => resolve('silent'), patienceMs)
    }),
  ]).finally(() => clearTimeout(timer))
  if (how === 'ready') return
  // its end may be known before its last words are read
  if (how === 'ended' && helper.stderr && !helper.stderr.closed)
    await new Promise((resolve) => helper.stderr!.once('close', resolve))
  const lines = said()
    .split('\n')
    .map((line) => plain(line.trim()))
    .filter((line) => line !== '' && !/to syslog$|^Don't run as root/.test(line))
  throw fail('NETWORK_REFUSED', {
    what: 'connect a private network',
    by: tool,
    evidence: how === 'silent' ? [`it was not ready within ${patienceMs / 1000} s`, ...lines] : lines,
    remedy: remedyFor(said()),
  })
}

function remedyFor(said: string): string {
  if (/failed to bind|in use/i.test(said))
    return 'publish free ports; those below 1024 need root, or sysctl net.ipv4.ip_unprivileged_port_start'
  if (/routable interface|any external|no interface/i.test(said))
    return 'give the host a default route: ip route add default …'
  return 'check its message, or use another tool: --network private:pasta or private:slirp4netns'
}
