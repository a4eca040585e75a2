// SPDX-License-Identifier: Apache-2.0
// Runs CNI plugins in turn: ADD passes each result to the next plugin, DEL goes from last to first (CNI specification, sections 2 to 5).

import { fail } from '../errors/errors.ts'
import { existsSync } from '../system/files.ts'
import { spawn } from '../system/processes.ts'
import { parseJson } from '../text/json.ts'
import { plain } from '../text/quote.ts'
import type { ConfigList, PluginConfig } from './cni-config.ts'
import type { Publish } from './network.ts'

/** A job's attachment to a network, with everything that a later process needs to remove it. */
export interface Attachment {
  id: string
  list: ConfigList
  publish: Publish[]
  /** The file on which the network namespace is mounted, which keeps it alive. */
  netns: string
  /** What the last plugin printed as the result of ADD. */
  result?: unknown
  /** If an ADD failed, the number of plugins whose ADD was started, including that plugin. */
  begun?: number
}

/** Name of the network interface in the job. */
const interfaceName = 'eth0'
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const defaultDirectories = ['/usr/lib/cni', '/opt/cni/bin']
const answerAtMost = 1 << 20
const patienceMs = 60_000

/**
 * Runs ADD of all plugins, and stores the last result in the attachment. Returns the job's addresses.
 *
 * @throws NETWORK_REFUSED, NETWORK_TOOL_MISSING
 */
export async function addNetwork(attachment: Attachment): Promise<{ addresses: string[] }> {
  const { plugins } = attachment.list
  for (const [i, plugin] of plugins.entries()) {
    attachment.begun = i + 1
    const answer = await runPlugin('ADD', plugin, attachment)
    // a plugin that is not the first may print nothing if it changes nothing
    if (answer !== undefined) attachment.result = answer
  }
  delete attachment.begun
  return { addresses: addressesIn(attachment.result) }
}

/**
 * Runs DEL of every plugin whose ADD was started, even if some fail. DEL succeeds if nothing is left to remove. @throws
 * NETWORK_REFUSED for the first plugin that failed
 */
export async function deleteNetwork(attachment: Attachment): Promise<void> {
  const { begun, list } = attachment
  let failure: unknown
  for (const [i, plugin] of [...list.plugins.entries()].slice(0, begun).reverse())
    await runPlugin('DEL', plugin, attachment).catch((error: unknown) => {
      // ignore the error of the plugin whose ADD failed: its DEL can fail for the same reason, and it has nothing to remove
      if (i + 1 !== begun) failure ??= error
    })
  if (failure) throw failure
}

/** Checks that the plugins of the list exist, before anything is changed. @throws NETWORK_REFUSED */
export function checkPlugins(list: ConfigList): void {
  for (const plugin of list.plugins) findPlugin('ADD', plugin, list)
}

/**
 * Returns the JSON input of a plugin: its configuration, the network's name and version, and the previous result.
 * Contains the published ports if the plugin supports them. Pure.
 */
export function pluginInput(plugin: PluginConfig, { list, publish, result }: Attachment): object {
  const portMappings = publish.map(({ address, hostPort, port, protocol }) => ({
    hostPort,
    containerPort: port,
    protocol,
    ...(address !== '' && { hostIP: address }),
  }))
  return {
    ...plugin,
    cniVersion: list.cniVersion,
    name: list.name,
    ...(plugin.capabilities?.portMappings && publish.length > 0 && { runtimeConfig: { portMappings } }),
    ...(result !== undefined && { prevResult: result }),
  }
}

/** Returns the addresses `ips[].address` in a plugin's result, in the format of CNI 0.3.0 or later. Pure. */
export function addressesIn(result: unknown): string[] {
  const ips = (result as { ips?: unknown } | undefined)?.ips
  if (!Array.isArray(ips)) return []
  return (ips as unknown[]).flatMap((one) => {
    const address = (one as { address?: unknown } | null)?.address
    return typeof address === 'string' && /^[0-9A-Fa-f:.]+\/\d{1,3}$/.test(address) ? [address] : []
  })
}

function findPlugin(command: 'ADD' | 'DEL', plugin: PluginConfig, list: ConfigList) {
  const directories = process.env.CNI_PATH?.split(':').filter((path) => path.startsWith('/')) ?? defaultDirectories
  const path = directories.map((directory) => `${directory}/${plugin.type}`).find(existsSync)
  const what = `${command === 'ADD' ? 'connect' : 'take down'} the network ${list.name}`
  if (path !== undefined) return { path, directories, what }
  throw fail('NETWORK_REFUSED', {
    what,
    by: `the host, which has no plugin ${plugin.type},`,
    evidence: [`it is not in ${directories.map(plain).join(', ')}`],
    remedy: 'apt-get install containernetworking-plugins, or set CNI_PATH',
  })
}

async function runPlugin(command: 'ADD' | 'DEL', plugin: PluginConfig, attachment: Attachment): Promise<unknown> {
  const { path, directories, what } = findPlugin(command, plugin, attachment.list)
  const env = {
    PATH: defaultPath,
    CNI_COMMAND: command,
    CNI_CONTAINERID: attachment.id,
    CNI_NETNS: attachment.netns,
    CNI_IFNAME: interfaceName,
    CNI_PATH: directories.join(':'),
  }
  const { status, stdout, stderr } = await execute(path, env, JSON.stringify(pluginInput(plugin, attachment)))
  const answer = parseAnswer(stdout)
  if (status === 0) return answer
  const { msg, details, code } = (answer ?? {}) as { msg?: unknown; details?: unknown; code?: unknown }
  const said = [msg, details].filter((text): text is string => typeof text === 'string' && text !== '')
  const lines = said.length > 0 ? said : stderr.split('\n').filter(Boolean).slice(-5)
  throw fail('NETWORK_REFUSED', {
    what,
    by: `its plugin ${plugin.type}${typeof code === 'number' ? ` (code ${code})` : ''}`,
    evidence: lines.length > 0 ? lines.map((line) => plain(line.slice(0, 1000))) : [`it ended with ${status}`],
    remedy: remedyFor(lines.join(' '), code),
  })
}

function remedyFor(said: string, code: unknown): string {
  if (/iptables.*(not found|no such)|failed to locate iptables/i.test(said)) return 'apt-get install iptables'
  if (/operation not permitted|permission denied/i.test(said))
    return 'run as root in the namespace of the network that is to be changed'
  if (code === 1) return 'set cniVersion in the config list to one that this plugin knows, such as 1.0.0'
  return 'check its message and its configuration: https://www.cni.dev/plugins'
}

function parseAnswer(text: string): unknown {
  try {
    return text.trim() === '' ? undefined : parseJson(text)
  } catch {
    return undefined
  }
}

function execute(path: string, env: NodeJS.ProcessEnv, input: string) {
  return new Promise<{ status: number | string; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(path, [], { env, stdio: ['pipe', 'pipe', 'pipe'], timeout: patienceMs, killSignal: 'SIGKILL' })
    const texts = { stdout: '', stderr: '' }
    for (const key of ['stdout', 'stderr'] as const)
      child[key].on('data', (data: Buffer) => {
        if (texts[key].length < answerAtMost) texts[key] += data.toString('utf8')
      })
    // errors of this pipe are ignored: a plugin that ends without reading its input reports the reason itself
    child.stdin.on('error', () => {})
    child.on('error', (error) => resolve({ status: error.message, ...texts }))
    child.on('close', (status, signal) => resolve({ status: status ?? signal ?? '', ...texts }))
    child.stdin.end(input)
  })
}
