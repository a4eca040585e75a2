// SPDX-License-Identifier: Apache-2.0
// Connects the network of a job that waits for it, and disconnects it at the end. Loaded only by a run that needs it.

import { fail } from '../errors/errors.ts'
import type { Readable } from '../system/streams.ts'
import { plain } from '../text/quote.ts'
import { addNetwork, checkPlugins, deleteNetwork } from './cni.ts'
import { readConfigList } from './cni-config.ts'
import { dropRecord, keepRecord, type NetworkKeeper, noteResult, sweepRecords } from './cni-record.ts'
import type { PlannedNetwork } from './network.ts'
import { openOrders } from './slirp-ports.ts'
import { toolArguments } from './user-mode.ts'

export { sweepRecords }

/** Starts a tool such as pasta as a separate job of hutch, so that the tool ends with hutch and leaves nothing behind. */
export interface Helper {
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  readonly result: Promise<unknown>
  kill(signal: NodeJS.Signals): boolean
}

/** The job's network that must be connected, and the means to connect it. */
export interface PendingNetwork {
  network: PlannedNetwork
  /** Descriptor of the job's network namespace. */
  netns: number
  /** The ids that the tool runs as. They must be mapped in the user namespace that owns the network namespace; 0 if possible. */
  runAs: { uid: number; gid: number }
  /** Runs a tool with the network namespace's descriptor as its stdin, and with privileges over the namespace. */
  startHelper(path: string, args: string[]): Helper
  keeper: NetworkKeeper
}

/** An established connection. */
export interface Connection {
  /** Addresses of the job as reported by the CNI plugins, such as `10.88.0.2/16`. Empty for a private network. */
  addresses: string[]
  /** Disconnects the network. @throws NETWORK_REFUSED if something is left, which the next run removes */
  close(): Promise<void>
}

/** Connects the network. If this fails, everything is undone. @throws NETWORK_REFUSED, NETWORK_UNKNOWN, NETWORK_CONFIG_INVALID */
export function connect(waiting: PendingNetwork): Promise<Connection> {
  const { network } = waiting
  return network.kind === 'cni' ? connectCni(network, waiting) : connectPrivate(network, waiting)
}

type Of<K extends PlannedNetwork['kind']> = Extract<PlannedNetwork, { kind: K }>

async function connectCni(network: Of<'cni'>, { netns, keeper }: PendingNetwork): Promise<Connection> {
  const list = readConfigList(network.configDirectory, network.name)
  checkPlugins(list)
  // write the record first, so that the plugins' work can be undone even if hutch is killed while they run
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

/** Maximum time to wait for the tool, in milliseconds. It usually needs only a few. */
const patienceMs = 30_000
const saidAtMost = 4096

async function connectPrivate(network: Of<'private'>, { startHelper, runAs }: PendingNetwork): Promise<Connection> {
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
      helper.kill('SIGKILL')
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

/** Waits until the tool is ready. It then prints a line of digits on stdout: pasta its process id, slirp4netns 1. */
async function isReady(helper: Helper, tool: string, said: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const outcome = await Promise.race([
    new Promise<'ready'>((resolve) => {
      let output = ''
      helper.stdout?.on('data', (data: Buffer) => {
        output = `${output}${data.toString('latin1')}`.slice(-saidAtMost)
        if (/(^|\n)\d+\n?$/.test(output)) resolve('ready')
      })
    }),
    helper.result.then(() => 'ended' as const),
    new Promise<'silent'>((resolve) => {
      timer = setTimeout(() => resolve('silent'), patienceMs)
    }),
  ]).finally(() => clearTimeout(timer))
  if (outcome === 'ready') return
  // the tool's exit can be reported before its last output has been read
  if (outcome === 'ended' && helper.stderr && !helper.stderr.closed)
    await new Promise((resolve) => helper.stderr!.once('close', resolve))
  const lines = said()
    .split('\n')
    .map((line) => plain(line.trim()))
    .filter((line) => line !== '' && !/to syslog$|^Don't run as root/.test(line))
  throw fail('NETWORK_REFUSED', {
    what: 'connect a private network',
    by: tool,
    evidence: outcome === 'silent' ? [`the tool was not ready within ${patienceMs / 1000} s`, ...lines] : lines,
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
